"""The service's own view of a run: its /metrics before and after.

Only of http and https targets, and only if /metrics responds within a second; a run does not depend
on it.
"""

import http.client
import importlib.util
import math
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

_TIMEOUT_SECONDS: Final = 1.0
_MOST_BYTES: Final = 4_000_000
_PREFIX: Final = "classifier_"
_REQUESTS: Final = "classifier_request_duration_seconds_count"
_OLD_REQUESTS: Final = "classifier_requests_total"
_COUNTERS: Final = ("_total", "_count", "_sum")
_PATH: Final = "/metrics"

_MOST: Final = 1e18
"""Larger values are ignored: their differences may be infinite."""

_LAMBDA_HOSTS: Final = (".on.aws", ".amazonaws.com")
"""Not asked: Lambda has no /metrics, and the request would start an environment before the run."""

Samples = Mapping[str, float]
"""Values by name; those with labels are added up."""


@dataclass(frozen=True)
class ServiceView:
    """What the service counted between the two readings, whoever sent the requests. Durations are
    means in milliseconds; None if nothing was counted."""

    requests: int
    """Without those for /metrics; a service of version 1.0 does not tell them apart."""
    rejected: int
    """Requests that got status 503."""
    images: int
    queue_ms: float | None
    """Waiting of an image for a thread, without the wait of its request for room in the queue."""
    decode_ms: float | None
    infer_ms: float | None
    cores: float | None
    """CPU seconds per second of the process; None if it does not say (several processes)."""


class Watch:
    """Reads /metrics at the start of a run."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        """url: that of the target, or the name of a function, which is not watched."""
        parts = urlsplit(url)
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{_PATH}"
        # No proxy: the load does not go through one either.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )
        self._started = time.monotonic()
        self._before = self._read() if has_metrics(url) else None

    def view(self) -> ServiceView | None:
        """The difference until now; None without /metrics, or if the service was restarted."""
        after = self._read() if self._before is not None else None
        if self._before is None or after is None:
            return None
        return difference(self._before, after, time.monotonic() - self._started)

    def _read(self) -> Samples | None:
        request = urllib.request.Request(self._url, headers={"Accept": "text/plain"})
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return parse(read_body(response).decode("utf-8"))
        except (OSError, ValueError, http.client.HTTPException):
            return None


class _Response(Protocol):
    def read1(self, size: int, /) -> bytes: ...


def read_body(response: _Response, clock: Callable[[], float] = time.monotonic) -> bytes:
    """The body, or the start of a long one. The timeout of a connection is for each of its reads:
    this one is for all. Raises `OSError`."""
    end = clock() + _TIMEOUT_SECONDS
    body = b""
    while len(body) < _MOST_BYTES and (part := response.read1(_MOST_BYTES)):
        body += part
        if clock() > end:
            raise TimeoutError
    return body


def has_metrics(url: str) -> bool:
    """Whether the target at `url` may have /metrics."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return parts.scheme in ("http", "https") and not host.endswith(_LAMBDA_HOSTS)


def parse(text: str) -> Samples | None:
    """Samples of the service in the Prometheus text format; None if there are none of it, or
    without prometheus_client. Raises `ValueError`."""
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("route") != _PATH:  # the reading itself
                    samples[sample.name] = samples.get(sample.name, 0.0) + sample.value
    except IndexError:  # of the parser, at some malformed lines
        return None
    samples = {name: value for name, value in samples.items() if abs(value) <= _MOST}
    return samples if any(name.startswith(_PREFIX) for name in samples) else None


def difference(before: Samples, after: Samples, seconds: float) -> ServiceView | None:
    """seconds: between the two. None if a counter has become smaller, or is missing: the service
    was restarted.

    The metrics have their names of 1.1 or, if the service is older, those of 1.0.
    """
    if any(
        value > after.get(name, 0.0) for name, value in before.items() if name.endswith(_COUNTERS)
    ):
        return None
    is_new = _REQUESTS in after
    unit = "duration_seconds" if is_new else "seconds"

    def change(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    def mean_ms(name: str) -> float | None:
        count, total = f"{_PREFIX}{name}_{unit}_count", f"{_PREFIX}{name}_{unit}_sum"
        if total not in after or not change(count):
            return None
        mean = change(total) / change(count) * 1000
        return round(mean, 3) if math.isfinite(mean) else None

    has_cpu = "process_cpu_seconds_total" in before and "process_cpu_seconds_total" in after
    return ServiceView(
        requests=round(change(_REQUESTS if is_new else _OLD_REQUESTS)),
        rejected=round(change(f"{_PREFIX}rejected_total")),
        images=round(change(f"{_PREFIX}infer_{unit}_count")),
        queue_ms=mean_ms("queue"),
        decode_ms=mean_ms("decode"),
        infer_ms=mean_ms("infer"),
        cores=round(change("process_cpu_seconds_total") / seconds, 2)
        if has_cpu and seconds > 0
        else None,
    )
