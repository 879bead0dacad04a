import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;

public class ClientUrl {
    public static void main(String[] paths) throws Exception {
        for (String path : paths) {
            Path photo = Path.of(path);
            URL url = new URL("http://localhost:8000/");
            HttpURLConnection connection = (HttpURLConnection) url.openConnection();
            connection.setDoOutput(true);
            connection.setFixedLengthStreamingMode(Files.size(photo)); // otherwise all of it is held
            try (OutputStream body = connection.getOutputStream()) {
                Files.copy(photo, body);
            }
            boolean failed = connection.getResponseCode() >= 400;
            try (InputStream answer = failed ? connection.getErrorStream() : connection.getInputStream()) {
                System.out.println(new String(answer.readAllBytes(), "UTF-8"));
            }
        }
    }
}
