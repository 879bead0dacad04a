"""Load from a separate process: wrk if installed, else `closed_loop`."""

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.benchmark.servers.server import MeasurementError
from local.common.paths import ROOT
from local.loadtest.payload import Payload

_SCRIPT: Final = Path(__file__).with_name("post.lua")
_PATIENCE_SECONDS: Final = 60.0


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
    program: list[str | Path]
    if wrk if wrk is not None else has_wrk():
        load = [f"-c{connections}", f"-d{seconds}s", f"--timeout={_PATIENCE_SECONDS:.0f}s"]
        program = ["wrk", "-t1", *load, "-s", _SCRIPT, url, "--", requests]
    else:
        module = [sys.executable, "-m", "local.benchmark.client.closed_loop"]
        program = [*module, url, requests, str(connections), str(seconds)]
    try:
        done = subprocess.run(
            program,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            timeout=seconds + 2 * _PATIENCE_SECONDS,
        )
        load_line = done.stdout.strip().splitlines()[-1]
        result = Load(**json.loads(load_line))
    except subprocess.CalledProcessError as error:
        raise MeasurementError(
            f"the client failed: {(error.stderr or error.stdout).strip()}"
        ) from None
    except (subprocess.TimeoutExpired, ValueError, IndexError, TypeError) as error:
        raise MeasurementError(f"the client's output is invalid: {error}") from None
    if not result.answered:
        raise MeasurementError("no request was answered under load")
    return result


@functools.cache
def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def client_name() -> str:
    """The load client with its version."""
    if not has_wrk():
        return "local.loadtest, a new connection per request"
    # wrk has no option that only prints the version; this one exits with status 1.
    output = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    words = (output.stdout or "wrk").split()
    return " ".join(words[:2])
