"""Load from a separate process: `closed_loop`, or wrk if installed."""

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.benchmark.client.loop_plan import TIMEOUT_SECONDS, LoopPlan
from local.benchmark.client.loop_result import LoopResult
from local.benchmark.servers.server import MeasurementError
from local.common.paths import ROOT
from local.loadtest.payload import Payload

_SCRIPT: Final = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Load:
    """The result of a load. `requests` includes those that `failed`: without a response or with a
    status other than 2xx."""

    requests: int
    failed: int
    wall_s: float
    p50_ms: float
    p99_ms: float

    @property
    def answered(self) -> int:
        return self.requests - self.failed


def write_requests(payloads: Sequence[Payload], folder: Path) -> Path:
    """Write the payloads to `folder`. Returns the file that lists them for `apply_load`."""
    folder.mkdir()
    lines = []
    for number, payload in enumerate(payloads):
        path = folder / f"{number}.body"
        path.write_bytes(payload.content)
        lines.append(f"{path}\t{payload.content_type}\n")
    requests = folder / "list"
    requests.write_text("".join(lines))
    return requests


def apply_load(
    url: str, requests: Path, *, connections: int, seconds: int, wrk: bool | None = None
) -> Load:
    """POST the payloads of `write_requests` in turn for `seconds` over `connections` connections;
    each sends its next request when the last one is answered. Raises `MeasurementError`."""
    if wrk if wrk is not None else has_wrk():
        result = _apply_wrk(url, requests, connections, seconds)
    else:
        result = _as_load(run_closed_loop(url, requests, LoopPlan(connections, seconds)))
    if not result.answered:
        raise MeasurementError("no request was answered under load")
    return result


def run_closed_loop(url: str, requests: Path, plan: LoopPlan) -> LoopResult:
    """POST the payloads of `write_requests` in turn, as `plan` says. Raises `MeasurementError`."""
    arguments = (
        *(url, requests, plan.connections, plan.seconds, "--warm-up", plan.warm_up),
        *("--timeout", plan.timeout, "--polite", plan.polite),
    )
    program = [sys.executable, "-m", "local.benchmark.client.closed_loop", *map(str, arguments)]
    try:
        return LoopResult.from_json(_last_line(program, plan.warm_up + plan.seconds))
    except KeyError as error:
        raise MeasurementError(f"the client's output is invalid: {error} is missing") from None


def _apply_wrk(url: str, requests: Path, connections: int, seconds: int) -> Load:
    load = [f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS:.0f}s"]
    program = ["wrk", "-t1", *load, "-s", str(_SCRIPT), url, "--", str(requests)]
    return Load(**_last_line(program, seconds))


def _as_load(result: LoopResult) -> Load:
    return Load(
        result.attempts,
        result.attempts - result.good,
        result.window_s,
        result.accepted.p50_ms,
        result.accepted.p99_ms,
    )


def _last_line(program: Sequence[str], seconds: float) -> Any:
    """The JSON in the last line that `program` prints. It should take `seconds`."""
    try:
        done = subprocess.run(
            program,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            timeout=seconds + 2 * TIMEOUT_SECONDS,
        )
        return json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise MeasurementError(
            f"the client failed: {(error.stderr or error.stdout).strip()}"
        ) from None
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise MeasurementError(f"the client's output is invalid: {error}") from None


@functools.cache
def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def client_name() -> str:
    """The load client with its version."""
    if not has_wrk():
        return "local.benchmark.client"
    # wrk has no option that only prints the version; this one exits with status 1.
    output = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    words = (output.stdout or "wrk").split()
    return " ".join(words[:2])
