// Sends uploads with a client of the JDK and prints the status of each: java RefusedUploads.java CLIENT URL BYTES TRIES

import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class RefusedUploads {
    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(arguments[1]);
        byte[] body = new byte[Integer.parseInt(arguments[2])];
        for (int left = Integer.parseInt(arguments[3]); left > 0; left--) {
            try {
                System.out.println(
                    arguments[0].equals("HttpClient") ? httpClient(url, body) : urlConnection(url, body));
            } catch (IOException error) {
                System.out.println(error);
            }
        }
    }

    static int urlConnection(URI url, byte[] body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
        connection.setRequestMethod("POST");
        connection.setRequestProperty("Content-Type", "image/tiff");
        connection.setDoOutput(true);
        connection.setFixedLengthStreamingMode(body.length);
        try (OutputStream stream = connection.getOutputStream()) {
            stream.write(body);
        }
        return connection.getResponseCode();
    }

    static int httpClient(URI url, byte[] body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(url)
            .header("Content-Type", "image/tiff")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build();
        return HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
    }
}
