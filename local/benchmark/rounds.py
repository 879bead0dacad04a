"""The rounds: every server takes its turn in each of them, and medians are what counts."""

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
from local.benchmark.baseline import Floor, running_floor
from local.benchmark.client.client import apply_load, write_requests
from local.benchmark.servers.server import NAIVE, SERVICE, Failed, Running, Server, running
from local.common.cpu import cores
from local.loadtest.payload import Body

CONNECTIONS: Final = (2, 8)
LOAD: Final = "load"
LARGE: Final = "large"
START: Final = "start"
PARTS: Final = (LOAD, LARGE, START)

BURSTS: Final = 3
"""Loads of each kind that a server gets in each of its turns, the floor's in between: what else a
shared machine does changes within seconds."""

_LEAST_LARGE: Final = 3
"""Requests with the large image in each round, however long they take."""

_SETTLE_SECONDS: Final = 0.2
"""What a load has sent last may be at work when it has ended, and is not the next one's."""

_TROUBLE: Final = (Failed, OSError, HTTPException)
_WARM_UP_SECONDS: Final = 1
_MB: Final = 1e6


@dataclass(frozen=True)
class Plan:
    """What is measured. `seconds` is the length of each load, of which a server gets `BURSTS` for
    every number in `CONNECTIONS` a round; `model` is the tutorial app's, if there is one."""

    rounds: int
    seconds: int
    parts: Sequence[str]
    servers: Sequence[Server]
    images: Sequence[Path]
    large: Path
    model: Path | None
    pythons: dict[str, Path] = field(default_factory=dict)
    """The Pythons of the servers, by key, that have not this one."""


@dataclass(frozen=True)
class _Sent:
    """The images as requests; `requests` lists `bodies` for the client."""

    bodies: Sequence[Body]
    large: Body
    requests: Path


@dataclass
class _Found:
    """What the rounds told so far of one server, or why they cannot."""

    rounds: list[dict[str, Any]] = field(default_factory=list)
    why: str = ""


def measure(plan: Plan, body_of: Callable[[Path], Body], say: Callable[[str], None]) -> Any:
    """The figures of `plan`: floor, servers and starts. `say` gets a line before each step.

    Raises `Failed` if the floor cannot be measured. Where a server or the starts cannot, their
    entry has the reason in `why`.
    """
    found = {server.key: _Found() for server in plan.servers}
    floors: list[dict[str, float]] = []
    bodies = [body_of(path) for path in plan.images]
    with_load = {LOAD, LARGE}.intersection(plan.parts)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        requests = write_requests(bodies, folder / "requests")
        sent = _Sent(bodies, body_of(plan.large), requests)
        if with_load:
            floor = stack.enter_context(running_floor(plan.images, cores()))
        for turn in range(plan.rounds if with_load else 0):
            say(f"round {turn + 1} of {plan.rounds}: floor")
            floors.append(_floor_round(plan, floor))
            for server in plan.servers:
                each = found[server.key]
                if each.why:
                    continue
                say(f"round {turn + 1} of {plan.rounds}: {server.title}")
                try:
                    each.rounds.append(_server_round(plan, server, sent, floor))
                except _TROUBLE as error:
                    each.why = str(error) or type(error).__name__
    figures: dict[str, Any] = {}
    if floors:
        figures["floor"] = {"processes": cores(), **medians(floors), "rounds": floors}
        figures["servers"] = {
            server.key: {"title": server.title, **_entry(found[server.key])}
            for server in plan.servers
        }
    if START in plan.parts:
        kinds = [coldstart.FLOOR, coldstart.HANDLER]
        kinds += [each.key for each in plan.servers if each in (SERVICE, NAIVE)]
        try:
            figures["start"] = coldstart.measure_starts(
                kinds, bodies[0], times=plan.rounds, model=plan.model, progress=say
            )
        except _TROUBLE as error:
            figures["start"] = {"why": str(error) or type(error).__name__}
    return figures


def _floor_round(plan: Plan, floor: Floor) -> dict[str, float]:
    """The costs; `busy` is with a process on every core."""
    one = floor.measure(plan.images, plan.seconds)
    busy = floor.measure(plan.images, plan.seconds, cores())
    costs = {
        "cpu_ms": one.cpu_ms,
        "images_s": one.images_s,
        "busy_cpu_ms": busy.cpu_ms,
        "busy_images_s": busy.images_s,
        "busy_p50_ms": busy.p50_ms,
        "busy_p99_ms": busy.p99_ms,
    }
    if LARGE in plan.parts:
        costs["large_cpu_ms"] = floor.measure([plan.large], plan.seconds).cpu_ms
    return costs


def _server_round(plan: Plan, server: Server, sent: _Sent, floor: Floor) -> dict[str, Any]:
    python = plan.pythons.get(server.key, Path(sys.executable))
    with running(server, python=python, model=plan.model) as each:
        each.wait_for_answer(sent.bodies[0])
        answers = [each.best(body) for body in sent.bodies]
        if answers != floor.best and not server.fp32:
            raise Failed(f"wrong answers: {answers} instead of {floor.best}")
        figures: dict[str, Any] = {}
        if LOAD in plan.parts:
            apply_load(each.url, sent.requests, connections=2, seconds=_WARM_UP_SECONDS)
            figures |= medians([_loads(plan, each, sent, floor) for _ in range(BURSTS)])
            figures["peak_mb"] = each.tree.peak_bytes() / _MB
            figures["processes"] = len(each.tree.members())
        if LARGE in plan.parts:
            figures["large_cpu_ms"] = cpu_ms_one_by_one(each, [sent.large], plan.seconds)
            figures["large_peak_mb"] = each.tree.peak_bytes() / _MB
        return figures


def _loads(plan: Plan, server: Running, sent: _Sent, floor: Floor) -> dict[str, Any]:
    """One load with few connections and one with many, the floor between the two: on all cores, as
    a load is, since they may not be equally fast and share caches."""

    def load(connections: int) -> dict[str, float]:
        return under_load(server, sent.requests, connections=connections, seconds=plan.seconds)

    few, many = CONNECTIONS
    at_few = load(few)
    bare = floor.measure(plan.images, plan.seconds, cores()).cpu_ms
    at_many = load(many)
    return {f"at_{few}": beside(at_few, bare), f"at_{many}": beside(at_many, bare)}


def under_load(
    server: Running, requests: Path, *, connections: int, seconds: int
) -> dict[str, float]:
    """Requests a second, latencies and the server's CPU for each request that was answered."""
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


def beside(load: Mapping[str, float], floor_cpu_ms: float) -> dict[str, float]:
    """The figures of a load, with its CPU as a multiple of what the floor took right beside it:
    what else the machine does slows both."""
    return {**load, "cpu_of_floor": load["cpu_ms"] / floor_cpu_ms}


def cpu_ms_one_by_one(server: Running, bodies: Sequence[Body], seconds: float) -> float:
    """The server's CPU milliseconds for each request when one after another is sent."""
    for body in bodies:
        server.post(body)
    before, start, count = server.tree.cpu_seconds(), server.tree.age(), 0
    while server.tree.age() < start + seconds or count < _LEAST_LARGE:
        for body in bodies:
            server.post(body)
        count += len(bodies)
    return 1000 * (server.tree.cpu_seconds() - before) / count


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number, of those in dictionaries, too; but all that `failed`."""
    result = {}
    for key, first in rounds[0].items():
        values = [each[key] for each in rounds]
        if isinstance(first, dict):
            result[key] = medians(values)
        else:
            result[key] = sum(values) if key == "failed" else statistics.median(values)
    return result


def _entry(found: _Found) -> dict[str, Any]:
    if found.why:
        return {"why": found.why}
    return {**medians(found.rounds), "rounds": found.rounds}
