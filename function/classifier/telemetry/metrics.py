"""The interface of metrics. Implementations: `prometheus` for servers, `emf` for Lambda."""


class Metrics:
    """Observes every image and, on a web server, every request. This one discards everything."""

    def observe_image(
        self, decode_seconds: float, infer_seconds: float, top_probability: float
    ) -> None:
        """An image was classified; `top_probability` is that of its first class, 0 to 1."""

    def count_error(self, kind: str) -> None:
        """A request or an image was refused; `kind` is `ServiceError.kind`."""

    def observe_queue_wait(self, seconds: float) -> None:
        """A thread took an image from the queue."""

    def wait_started(self) -> None:
        """A request waits for room in the queue."""

    def wait_ended(self) -> None:
        """It is admitted or refused, or its client has disconnected."""

    def request_started(self) -> None:
        """A request's head has arrived."""

    def request_finished(self, status: int, seconds: float) -> None:
        """A response is complete."""

    def exposition(self) -> tuple[bytes, str] | None:
        """The content of `/metrics` and its content type; None where there is none."""
        return None
