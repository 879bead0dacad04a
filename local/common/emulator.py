"""The container image behind the emulator of Lambda's runtime interface."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from local.common.paths import ROOT

INVOKE_PATH: Final = "/2015-03-31/functions/function/invocations"

_EMULATOR_PORT: Final = 8080
_START_SECONDS: Final = 60.0


def docker(*arguments: str, timeout: float = 600, stdin: str | None = None) -> str:
    """Run a docker command and return its stripped output. Raises
    `subprocess.CalledProcessError`."""
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=timeout,
        input=stdin,
    )
    return done.stdout.strip()


def docker_answers() -> bool:
    """Whether a usable Docker engine is running."""
    try:
        return bool(docker("version", "--format", "{{.Server.Version}}", timeout=20))
    except (OSError, subprocess.SubprocessError):
        return False


@dataclass(frozen=True)
class Function:
    """A running container that serves the function at `address`."""

    container: str
    address: str

    def invoke(self, event: object, timeout: float = 60) -> Any:
        """Invoke the function with `event` and return the decoded JSON result."""
        request = urllib.request.Request(
            f"{self.address}{INVOKE_PATH}", data=json.dumps(event).encode()
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def log(self) -> str:
        """The container's stdout and stderr."""
        done = subprocess.run(
            ["docker", "logs", self.container], capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr


@contextmanager
def running(
    image: str, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Function]:
    """Run `image` with `options` of docker run; remove the container at the end.

    Yields when the emulator listens; the function itself starts with the first invocation. The
    engine chooses the port: another program could take a port that was found free before.
    """
    variables = [part for pair in (environment or {}).items() for part in ("-e", "=".join(pair))]
    publish = ("--publish", f"127.0.0.1::{_EMULATOR_PORT}")
    name = docker("run", "--detach", *options, *variables, *publish, image)
    try:
        function = Function(name, f"http://{docker('port', name, str(_EMULATOR_PORT))}")
        _wait(function)
        yield function
    finally:
        docker("rm", "--force", name)


def invoke_at_once(image: str, events: Sequence[object], processes: int, *options: str) -> Any:
    """What the function of `image` does with `events` in an environment of Lambda Managed Instances
    with `processes`, as `runtime_api.run` returns it; `options` are those of docker run."""
    program = ROOT / "local" / "common" / "runtime_api.py"
    volume = ("--volume", f"{program}:/{program.name}:ro")
    command = ("--entrypoint", "python", image, f"/{program.name}", str(processes))
    run = ("run", "--rm", "--interactive", *options, *volume, *command)
    return json.loads(docker(*run, stdin=json.dumps(events)))


def python_in(container: str, code: str, arguments: Sequence[str] = (), stdin: str = "") -> str:
    """Run a Python program inside the container and return its output."""
    return docker("exec", "--interactive", container, "python", "-c", code, *arguments, stdin=stdin)


def free_port() -> int:
    """A free TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(function: Function) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(function.address, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return  # it answers, if only that there is nothing
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"the emulator does not respond: {function.log()}")
