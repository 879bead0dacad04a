"""The interface of metrics. Implementations: `prometheus` for servers, `emf` for Lambda."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from classifier.telemetry.request import RequestRecord  # starlette: not of the command classify


class Load(NamedTuple):
    """How full this process is: functions that may be called from any thread, and their limits."""

    queued: Callable[[], int]
    """Images in the queue"""
    queue_limit: int
    memory_used: Callable[[], int]
    """Bytes that images and request bodies hold"""
    memory_limit: int


class Metrics:
    """Observes every image and, on a web server, every request. This one discards everything."""

    def observe_image(
        self,
        decode_seconds: float,
        infer_seconds: float,
        top_probability: float,
        format_name: str,
    ) -> None:
        """An image was classified; `top_probability` is that of its first class, 0 to 1, and
        `format_name` that of its file, as `Photo.format`."""

    def count_error(self, kind: str) -> None:
        """A request or an image was refused; `kind` is `ServiceError.kind`."""

    def observe_queue_wait(self, seconds: float) -> None:
        """A thread took an image from the queue."""

    def wait_started(self) -> None:
        """A request waits for room in the queue or in memory."""

    def wait_ended(self) -> None:
        """It is admitted or refused, or its client has disconnected."""

    def request_started(self, record: "RequestRecord") -> None:
        """A request's head has arrived."""

    def request_finished(self, record: "RequestRecord", seconds: float) -> None:
        """A response is complete, `seconds` after the request's head."""

    def watch(self, load: Load) -> None:
        """The service of this process has started: its gauges come from `load`."""

    @property
    def refresh_seconds(self) -> float | None:
        """The interval at which `refresh` must be called; None: it need not be."""
        return None

    def refresh(self) -> None:
        """Write the gauges of `watch` where the other processes find them."""

    def exposition(self) -> tuple[bytes, str] | None:
        """The content of `/metrics` and its content type; None where there is none."""
        return None
