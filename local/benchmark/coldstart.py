"""Cold starts: from the start of a process to its first response, by part."""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.benchmark.servers.processes import last_line, process_tree
from local.benchmark.servers.server import (
    NAIVE,
    SERVICE,
    MeasurementError,
    Server,
    process_environment,
    running,
)
from local.common.paths import FUNCTION, ROOT
from local.loadtest.lambda_target import function_url_event
from local.loadtest.payload import Payload

BASELINE: Final = "baseline"
HANDLER: Final = "handler"
TITLES: Final = {
    BASELINE: "baseline: imports, session, one run",
    HANDLER: "this service, Lambda handler",
    SERVICE.key: "this service, uvicorn",
    NAIVE.key: "tutorial app, FP32, uvicorn",
}
PARTS: Final = ("python", "imports", "read model", "session", "first run", "response")
"""Of the handler's start. `imports` is importing `main` without the other parts."""

_LAMBDA: Final = {
    "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
}


@dataclass(frozen=True)
class Start:
    """One start in milliseconds: time to the first response, CPU of all its processes until then,
    and, of the handler, the parts."""

    ms: float
    cpu_ms: float
    parts_ms: Mapping[str, float] = field(default_factory=dict)


def measure_starts(
    kinds: Sequence[str],
    payload: Payload,
    *,
    times: int,
    model: Path | None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Medians of `times` starts of each of `kinds` (keys of `TITLES`), interleaved. An extra first
    start of each is not counted: it compiles bytecode and fills caches. `model` is the tutorial
    app's. Raises `MeasurementError`."""
    starts: dict[str, list[Start]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(1 + times):
            progress(f"cold starts, turn {turn} of {times}")
            for kind, found in starts.items():
                start = _start(kind, payload, Path(folder), model)
                if turn:
                    found.append(start)
    return {kind: _medians(kind, found) for kind, found in starts.items()}


def _start(kind: str, payload: Payload, folder: Path, model: Path | None) -> Start:
    if kind == BASELINE:
        graph = FUNCTION / "model" / "model.onnx"
        return _program("start_baseline", folder, {"MODEL": str(graph)})[0]
    if kind == HANDLER:
        happened = folder / "event.json"
        happened.write_text(json.dumps(function_url_event(payload)))
        return _handler_start(folder, {"EVENT": str(happened), **_LAMBDA})
    return _server_start(SERVICE if kind == SERVICE.key else NAIVE, payload, model)


def _server_start(server: Server, payload: Payload, model: Path | None) -> Start:
    with running(server, model=model) as running_server:
        seconds = running_server.wait_for_response(payload)
        return Start(1000 * seconds, 1000 * running_server.tree.cpu_seconds())


def _handler_start(folder: Path, variables: Mapping[str, str]) -> Start:
    start, started_at, output = _program("start_handler", folder, variables)
    program, imported, answered = output["clock"]
    inner = {part: 1000 * output["parts"][part] for part in ("read model", "session", "first run")}
    parts = {
        "python": 1000 * (program - started_at),
        "imports": 1000 * (imported - program) - sum(inner.values()),
        **inner,
        "response": 1000 * (answered - imported),
    }
    return Start(start.ms, start.cpu_ms, parts)


def _program(name: str, folder: Path, variables: Mapping[str, str]) -> tuple[Start, float, Any]:
    """Run a program of `local.benchmark.apps`: its start, when it started (seconds of the monotonic
    clock), and the output with its response."""
    log = folder / "log"
    command = [sys.executable, "-m", f"local.benchmark.apps.{name}"]
    settings = process_environment(**variables)
    with process_tree(command, log=log, folder=ROOT, environment=settings, piped=True) as tree:
        assert tree.popen.stdout
        for line in tree.popen.stdout:
            if line.startswith("answered "):
                ms = 1000 * tree.age()
                start = Start(ms, 1000 * tree.cpu_seconds())
                return start, tree.started_at, json.loads(line.removeprefix("answered "))
    raise MeasurementError(f"the start of {name} ended without a response: {last_line(log)}")


def _medians(kind: str, starts: Sequence[Start]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "title": TITLES[kind],
        "ms": statistics.median(start.ms for start in starts),
        "cpu_ms": statistics.median(start.cpu_ms for start in starts),
        "rounds": [{"ms": start.ms, "cpu_ms": start.cpu_ms} for start in starts],
    }
    if kind == HANDLER:
        result["parts_ms"] = {
            part: statistics.median(start.parts_ms[part] for start in starts) for part in PARTS
        }
    return result
