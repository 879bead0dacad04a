require "net/http"

uri = URI("http://localhost:8000/")
Net::HTTP.start(uri.host, uri.port) do |http|
  ARGV.each do |path|
    File.open(path, "rb") do |photo|
      request = Net::HTTP::Post.new(uri)
      request.set_form([["file", photo]], "multipart/form-data")
      puts http.request(request).body
    end
  end
end
