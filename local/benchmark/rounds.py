"""The rounds: every server is measured once per round; medians are reported."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from local.benchmark import coldstart
from local.benchmark.baseline import Baseline, running_baseline
from local.benchmark.client.load import apply_load, write_requests
from local.benchmark.servers.server import (
    NAIVE,
    SERVICE,
    MeasurementError,
    Running,
    Server,
    running,
)
from local.common.cpu import cpu_count
from local.loadtest.payload import Payload

CONNECTIONS: Final = (2, 8)
LOAD: Final = "load"
LARGE: Final = "large"
START: Final = "start"
PARTS: Final = (LOAD, LARGE, START)

BURSTS: Final = 3
"""Loads of each kind per server and round, with the baseline in between: other activity on a shared
machine changes within seconds."""

_LEAST_LARGE: Final = 3
"""Minimum number of requests with the large image per round."""

_SETTLE_SECONDS: Final = 0.2
"""Pause after a load, whose last requests may still be in progress."""

_ERRORS: Final = (MeasurementError, OSError, HTTPException)
_WARM_UP_SECONDS: Final = 1
_MB: Final = 1e6


@dataclass(frozen=True)
class BenchmarkPlan:
    """The parts to measure. `seconds` is the length of each load; per round, a server gets `BURSTS`
    loads for every number in `CONNECTIONS`. `model` is the tutorial app's, if available."""

    rounds: int
    seconds: int
    parts: Sequence[str]
    servers: Sequence[Server]
    images: Sequence[Path]
    large: Path
    model: Path | None
    pythons: dict[str, Path] = field(default_factory=dict)
    """By server key, for servers with an environment of their own."""


@dataclass(frozen=True)
class _Sent:
    """The images as requests; `requests` lists `payloads` for the client."""

    payloads: Sequence[Payload]
    large: Payload
    requests: Path


@dataclass
class _ServerResult:
    """The rounds of one server so far, or why it cannot be measured."""

    rounds: list[dict[str, Any]] = field(default_factory=list)
    why: str = ""


def measure(
    plan: BenchmarkPlan, payload_of: Callable[[Path], Payload], progress: Callable[[str], None]
) -> Any:
    """The figures of `plan`: baseline, servers and starts. Calls `progress` before each step.

    Raises `MeasurementError` if the baseline cannot be measured. If a server or the starts cannot,
    their entry has the reason in `why`.
    """
    found = {server.key: _ServerResult() for server in plan.servers}
    baselines: list[dict[str, float]] = []
    payloads = [payload_of(path) for path in plan.images]
    with_load = {LOAD, LARGE}.intersection(plan.parts)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        requests = write_requests(payloads, folder / "requests")
        sent = _Sent(payloads, payload_of(plan.large), requests)
        if with_load:
            baseline = stack.enter_context(running_baseline(plan.images, cpu_count()))
        for turn in range(plan.rounds if with_load else 0):
            progress(f"round {turn + 1} of {plan.rounds}: baseline")
            baselines.append(_baseline_round(plan, baseline))
            for server in plan.servers:
                result = found[server.key]
                if result.why:
                    continue
                progress(f"round {turn + 1} of {plan.rounds}: {server.title}")
                try:
                    result.rounds.append(_server_round(plan, server, sent, baseline))
                except _ERRORS as error:
                    result.why = str(error) or type(error).__name__
    figures: dict[str, Any] = {}
    if baselines:
        figures["baseline"] = {"processes": cpu_count(), **medians(baselines), "rounds": baselines}
        figures["servers"] = {
            server.key: {"title": server.title, **_entry(found[server.key])}
            for server in plan.servers
        }
    if START in plan.parts:
        kinds = [coldstart.BASELINE, coldstart.HANDLER]
        kinds += [server.key for server in plan.servers if server in (SERVICE, NAIVE)]
        try:
            figures["start"] = coldstart.measure_starts(
                kinds, payloads[0], times=plan.rounds, model=plan.model, progress=progress
            )
        except _ERRORS as error:
            figures["start"] = {"why": str(error) or type(error).__name__}
    return figures


def _baseline_round(plan: BenchmarkPlan, baseline: Baseline) -> dict[str, float]:
    """The costs; `busy` is with a process on every CPU."""
    one = baseline.measure(plan.images, plan.seconds)
    busy = baseline.measure(plan.images, plan.seconds, cpu_count())
    costs = {
        "cpu_ms": one.cpu_ms,
        "images_s": one.images_s,
        "busy_cpu_ms": busy.cpu_ms,
        "busy_images_s": busy.images_s,
        "busy_p50_ms": busy.p50_ms,
        "busy_p99_ms": busy.p99_ms,
    }
    if LARGE in plan.parts:
        costs["large_cpu_ms"] = baseline.measure([plan.large], plan.seconds).cpu_ms
    return costs


def _server_round(
    plan: BenchmarkPlan, server: Server, sent: _Sent, baseline: Baseline
) -> dict[str, Any]:
    python = plan.pythons.get(server.key, Path(sys.executable))
    with running(server, python=python, model=plan.model) as running_server:
        running_server.wait_for_response(sent.payloads[0])
        outputs = [running_server.best(payload) for payload in sent.payloads]
        if outputs != baseline.best and not server.fp32:
            raise MeasurementError(f"wrong classes: {outputs} instead of {baseline.best}")
        figures: dict[str, Any] = {}
        if LOAD in plan.parts:
            apply_load(running_server.url, sent.requests, connections=2, seconds=_WARM_UP_SECONDS)
            figures |= medians(
                [_loads(plan, running_server, sent, baseline) for _ in range(BURSTS)]
            )
            figures["peak_mb"] = running_server.tree.peak_bytes() / _MB
            figures["processes"] = len(running_server.tree.members())
        if LARGE in plan.parts:
            figures["large_cpu_ms"] = cpu_ms_one_by_one(running_server, [sent.large], plan.seconds)
            figures["large_peak_mb"] = running_server.tree.peak_bytes() / _MB
        return figures


def _loads(plan: BenchmarkPlan, server: Running, sent: _Sent, baseline: Baseline) -> dict[str, Any]:
    """One load with few connections and one with many, with the baseline between them: on all CPUs,
    like a load, as CPUs may differ in speed and share caches."""

    def load(connections: int) -> dict[str, float]:
        return under_load(server, sent.requests, connections=connections, seconds=plan.seconds)

    few, many = CONNECTIONS
    at_few = load(few)
    bare = baseline.measure(plan.images, plan.seconds, cpu_count()).cpu_ms
    at_many = load(many)
    return {
        f"at_{few}": with_baseline_ratio(at_few, bare),
        f"at_{many}": with_baseline_ratio(at_many, bare),
    }


def under_load(
    server: Running, requests: Path, *, connections: int, seconds: int
) -> dict[str, float]:
    """Requests per second, latencies and the server's CPU per answered request."""
    time.sleep(_SETTLE_SECONDS)
    before = server.tree.cpu_seconds()
    load = apply_load(server.url, requests, connections=connections, seconds=seconds)
    cpu_s = server.tree.cpu_seconds() - before
    return {
        "requests_s": load.answered / load.wall_s,
        "cpu_ms": 1000 * cpu_s / load.answered,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "p99_of_p50": load.p99_ms / load.p50_ms,
        "failed": load.failed,
    }


def with_baseline_ratio(load: Mapping[str, float], baseline_cpu_ms: float) -> dict[str, float]:
    """The figures of a load, with its CPU divided by that of the adjacent baseline: other activity
    on the machine slows both."""
    return {**load, "cpu_of_baseline": load["cpu_ms"] / baseline_cpu_ms}


def cpu_ms_one_by_one(server: Running, payloads: Sequence[Payload], seconds: float) -> float:
    """The server's CPU milliseconds per request, one request at a time."""
    for payload in payloads:
        server.post(payload)
    before, start, count = server.tree.cpu_seconds(), server.tree.age(), 0
    while server.tree.age() < start + seconds or count < _LEAST_LARGE:
        for payload in payloads:
            server.post(payload)
        count += len(payloads)
    return 1000 * (server.tree.cpu_seconds() - before) / count


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number, also in nested dictionaries; `failed` is summed instead."""
    result = {}
    for key, first in rounds[0].items():
        values = [figures[key] for figures in rounds]
        if isinstance(first, dict):
            result[key] = medians(values)
        else:
            result[key] = sum(values) if key == "failed" else statistics.median(values)
    return result


def _entry(found: _ServerResult) -> dict[str, Any]:
    if found.why:
        return {"why": found.why}
    return {**medians(found.rounds), "rounds": found.rounds}
