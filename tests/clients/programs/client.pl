use strict;
use warnings;
use LWP::UserAgent;

my $agent = LWP::UserAgent->new(keep_alive => 1);
for my $path (@ARGV) {
    my $response = $agent->post(
        "http://localhost:8000/",
        Content_Type => "form-data",
        Content      => [file => [$path]],
    );
    print $response->decoded_content, "\n";
}
