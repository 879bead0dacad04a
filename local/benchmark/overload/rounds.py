"""One server under each crowd, with the reference between them."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from local.benchmark.client.load import run_closed_loop
from local.benchmark.client.loop_result import GroupResult, LoopResult
from local.benchmark.overload.monitor import Watched, watching
from local.benchmark.overload.plan import IMPATIENT, REFERENCE, Crowd, Effort
from local.benchmark.servers.server import (
    COMPETITORS,
    MeasurementError,
    Running,
    Server,
    process_environment,
    running,
)
from local.common.cpu import cpu_count
from local.common.paths import FUNCTION
from local.loadtest.payload import Payload

PROBED: Final = ("/healthz", "/metrics")

NORMAL: Final = 2.0
"""A latency of at most this factor of the median without load is normal: single requests vary."""

_UNLOADED_REQUESTS: Final = 10
_RECOVERY_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.01

_LIMITS: Final = """
import json
from classifier.settings import Settings
settings = Settings.from_environment()
print(json.dumps({"queue": settings.queue, "threads": settings.threads}))
"""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Images:
    """The photos as requests; `requests` lists them for the client."""

    first: Payload
    requests: Path


@dataclass(frozen=True)
class Measured:
    """A crowd's requests, what the monitor saw meanwhile, and the time from the crowd's end until
    the latency was normal (infinite if it never was)."""

    load: LoopResult
    watched: Watched
    recovery_s: float


def measure_round(
    server: Server, python: Path, effort: Effort, images: Images, progress: Progress
) -> dict[str, Any]:
    """Start `server` and measure each crowd of `effort`. Raises `MeasurementError`, `OSError` or
    `http.client.HTTPException`."""
    with running(server, python=python) as started:
        started.wait_for_response(images.first)
        unloaded = statistics.median(_one_by_one(started, images.first))

        def measure(crowd: Crowd) -> Measured:
            progress(f"{server.title}: {crowd}")
            return _measure(started, crowd, effort, images, unloaded)

        references, found = [measure(Crowd(REFERENCE))], []
        for crowd in effort.crowds:
            found.append(measure(crowd))
            references.append(measure(Crowd(REFERENCE)))
    before = references[0].watched.peak_bytes()
    goodputs = [goodput(each) for each in references]
    if not all(goodputs):
        raise MeasurementError(f"no request was answered at {REFERENCE} connections")
    crowds = [
        {
            **describe(crowd, measured, before),
            "reference": (goodputs[number] + goodputs[number + 1]) / 2,
        }
        for number, (crowd, measured) in enumerate(zip(effort.crowds, found, strict=True))
    ]
    return {
        "unloaded_ms": 1000 * unloaded,
        "reference": describe(Crowd(REFERENCE), _middle(references), before),
        "references": goodputs,
        "crowds": crowds,
    }


def describe(crowd: Crowd, measured: Measured, before: int) -> dict[str, Any]:
    """The figures of one crowd, as JSON. `before`: bytes of memory before the first crowd."""
    load, watched = measured.load, measured.watched
    window = (load.window_start, load.window_end)
    ramp = (0.0, load.window_start)
    counts = load.counts()
    expected = {"200", "503", *(["timeout"] if crowd.kind == IMPATIENT else [])}
    return {
        "connections": crowd.connections,
        "kind": crowd.kind,
        "window_s": load.window_s,
        "rate": load.good_rate,
        "goodput": goodput(measured),
        "counts": dict(counts.most_common()),
        "other": sum(count for name, count in counts.items() if name not in expected),
        "groups": {"hammering": group(load.hammering), "polite": group(load.polite)},
        "accepted_p50_ms": load.accepted.p50_ms,
        "accepted_p99_ms": load.accepted.p99_ms,
        "refused_p50_ms": load.refused.p50_ms,
        "refused_p99_ms": load.refused.p99_ms,
        "cores": cores(measured),
        "probes": {
            path: {
                "slowest_ms": watched.slowest_ms(path, *window),
                "ramp_slowest_ms": watched.slowest_ms(path, *ramp),
            }
            for path in watched.probes
        },
        "probe_failures": watched.failures(),
        "memory_growth_mb": watched.growth_bytes(*window) / 1e6,
        "memory_peak_mb": watched.peak_bytes() / 1e6,
        "kb_a_connection": (watched.peak_bytes() - before) / crowd.connections / 1e3,
        "recovery_s": measured.recovery_s if math.isfinite(measured.recovery_s) else None,
    }


def cores(measured: Measured) -> dict[str, float]:
    """The CPUs that the server and the client used within the window, and that were idle."""
    load = measured.load
    server, idle = measured.watched.cores(load.window_start, load.window_end)
    return {"server": server, "client": load.cpu_s / load.window_s, "idle": idle}


def goodput(measured: Measured) -> float:
    """Good responses per second if no other process had taken CPU time: in proportion to the CPUs
    that were left for server and client."""
    free = sum(cores(measured).values())
    return measured.load.good_rate * cpu_count() / free if free else 0.0


def group(found: GroupResult) -> dict[str, Any]:
    """The figures of a group of clients, as JSON."""
    return {
        "clients": found.clients,
        "attempts": found.attempts,
        "good": found.good,
        "success_p50_ms": found.successes.p50_ms,
        "success_p99_ms": found.successes.p99_ms,
    }


def limits(server: Server) -> Mapping[str, int]:
    """The `queue` and the `threads` of the service with its default settings. Raises
    `MeasurementError`."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITS],
        cwd=server.root / FUNCTION.name,
        env={**os.environ, **process_environment(server.root), **server.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasurementError(f"{server.title} has no settings: {done.stderr.strip()[-200:]}")
    found: Mapping[str, int] = json.loads(done.stdout)
    return found


def _measure(
    server: Running, crowd: Crowd, effort: Effort, images: Images, unloaded: float
) -> Measured:
    paths = () if server.server in COMPETITORS else PROBED
    with watching(server, paths) as watched:
        load = run_closed_loop(server.url, images.requests, crowd.plan(effort))
        gone = time.monotonic()
        recovery = recovery_seconds(server, images.first, NORMAL * unloaded, gone)
    if server.tree.popen.poll() is not None:
        raise MeasurementError(f"{server.server.title} ended with {server.tree.popen.returncode}")
    return Measured(load, watched, recovery)


def _one_by_one(server: Running, payload: Payload) -> Iterator[float]:
    """The seconds of requests without other load."""
    for _ in range(_UNLOADED_REQUESTS):
        start = time.monotonic()
        server.post(payload)
        yield time.monotonic() - start


def recovery_seconds(server: Running, payload: Payload, normal: float, since: float) -> float:
    """Seconds from `since` to the start of the first request that takes at most `normal` seconds.
    Infinite if there is none within a minute."""
    while (start := time.monotonic()) < since + _RECOVERY_SECONDS:
        try:
            server.post(payload)
        except (MeasurementError, OSError, HTTPException):
            time.sleep(_RETRY_SECONDS)
            continue
        if time.monotonic() - start <= normal:
            return start - since
    return math.inf


def _middle(found: Sequence[Measured]) -> Measured:
    """That of median goodput."""
    return sorted(found, key=goodput)[len(found) // 2]
