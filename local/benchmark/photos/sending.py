"""Sends a photo to the service and measures what that takes."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from local.benchmark.photos.kinds import Photo
from local.benchmark.servers.limited import LimitedService, Response, Usage
from local.benchmark.servers.server import MeasurementError

_POLL_SECONDS: Final = 0.05
"""Between health checks; they take 2 % of a core, which the CPU time of a photo includes."""

TIE: Final = 0.1
"""Probability. The photo has two classes of cats, 282 and 285, which come first in turn, with less
than 0.05 between them, when it is enlarged to one size or another."""

KILLED: Final = "killed"
LOST: Final = "no response"


@dataclass(frozen=True)
class Outcome:
    """The response to a photo: its status, or `KILLED` or `LOST`; the type of a problem."""

    result: str
    problem: str = ""
    same_class: bool = False
    """Whether the most probable class is that of the small photo, or equally probable (`TIE`)"""
    seconds: float = 0.0
    cpu_ms: float = 0.0
    peak_mb: float = 0.0
    """Of the service's process, in 10^6 bytes"""
    health_ms: float = 0.0
    """The slowest health check meanwhile"""

    @property
    def accepted(self) -> bool:
        return self.result == "200"

    def __str__(self) -> str:
        if self.accepted:
            return "ok" if self.same_class else "other class"
        return self.result

    def to_json(self) -> Mapping[str, Any]:
        return {key: _rounded(value) for key, value in asdict(self).items()}


@dataclass
class HealthChecks:
    """Seconds of each health check, and failures."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def slowest(self) -> float:
        return max(self.seconds, default=0.0)


@contextlib.contextmanager
def checking_health(service: LimitedService) -> Iterator[HealthChecks]:
    """Check the health of the service until the end of the context."""
    checks, done = HealthChecks(), threading.Event()

    def check() -> None:
        while not done.wait(_POLL_SECONDS):
            start = time.monotonic()
            try:
                service.health_seconds()
            except (OSError, http.client.HTTPException) as error:
                checks.failures.append(type(error).__name__)
            checks.seconds.append(time.monotonic() - start)

    thread = threading.Thread(target=check)
    thread.start()
    try:
        yield checks
    finally:
        done.set()
        thread.join()


class Sender:
    """Sends photos one after another to the same service."""

    def __init__(self, service: LimitedService) -> None:
        """Raises `MeasurementError` if the service does not run."""
        self._service = service
        self._classes: dict[bytes, int] = {}
        self._usage = service.usage()

    @property
    def idle(self) -> Usage:
        """The use of resources after the last photo."""
        return self._usage

    def first_class(self, small: bytes) -> int:
        """The index of the most probable class of a small photo. Raises `MeasurementError`."""
        if small not in self._classes:
            try:
                response = self._service.post(small, "image/jpeg")
            except (OSError, http.client.HTTPException) as error:
                raise MeasurementError(f"no response to a small photo: {error!r}") from None
            if response.status != http.client.OK:
                raise MeasurementError(f"the small photo gets {response.status}")
            self._classes[small] = _first_class(response)
        return self._classes[small]

    def send(self, photo: Photo, data: bytes, small: bytes) -> Outcome:
        """Send `photo`, of which `data` are the bytes; `small` shows the same. Raises
        `MeasurementError` if the service does not respond to the small photo."""
        expected = self.first_class(small)
        before = self._service.usage()
        start = time.monotonic()
        with checking_health(self._service) as checks:
            try:
                response = self._service.post(data, photo.kind.content_type)
            except (OSError, http.client.HTTPException) as error:
                result = KILLED if self._service.end() else LOST
                return Outcome(result, type(error).__name__, seconds=time.monotonic() - start)
            seconds = time.monotonic() - start
        self._usage = after = self._service.usage()
        accepted = response.status == http.client.OK
        return Outcome(
            str(response.status),
            "" if accepted else _problem(response),
            accepted and is_class(expected, response.content),
            seconds,
            (after.cpu_seconds - before.cpu_seconds) * 1e3,
            after.peak_bytes / 1e6,
            checks.slowest() * 1e3,
        )


def worst_health_ms(outcomes: Sequence[Outcome]) -> float:
    return max((outcome.health_ms for outcome in outcomes), default=0.0)


def is_class(expected: int, content: Any) -> bool:
    """Whether the class `expected` is the most probable one of a response, or nearly so."""
    predictions = content["predictions"]
    enough = predictions[0]["probability"] - TIE
    return any(each["index"] == expected and each["probability"] >= enough for each in predictions)


def _first_class(response: Response) -> int:
    return int(response.content["predictions"][0]["index"])


def _problem(response: Response) -> str:
    content = response.content if isinstance(response.content, dict) else {}
    return str(content.get("detail") or content.get("title") or "")[:200]


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
