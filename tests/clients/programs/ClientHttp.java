import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;

public class ClientHttp {
    public static void main(String[] paths) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (String path : paths) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:8000/"))
                    .POST(BodyPublishers.ofFile(Path.of(path)))
                    .build();
            System.out.println(client.send(request, BodyHandlers.ofString()).body());
        }
    }
}
