"""The service with little memory: in a container, or as a process with the settings of one."""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from local.benchmark.servers import proc
from local.benchmark.servers.processes import ProcessTree
from local.benchmark.servers.server import (
    SERVICE,
    START_SECONDS,
    MeasurementError,
    Running,
    running,
)
from local.common.cli import UsageError
from local.common.emulator import docker, docker_answers, free_port, python_in
from local.common.paths import FUNCTION

IMAGE: Final = "classifier-web-measured"

SECONDS: Final = 120.0
"""The longest that a client waits for a response."""

_PORT: Final = 8000
_POLL_SECONDS: Final = 0.05

_BUDGET: Final = """
import sys
import main
from classifier.memory import available_memory
print(available_memory(int(sys.argv[1]), main.settings.threads))
"""
"""The memory that the service would have for images in a container of this size in MiB. A
separate process measures it, as the service does at its start."""


class Response(NamedTuple):
    """The status and the decoded JSON of a response."""

    status: int
    content: Any


class Usage(NamedTuple):
    """CPU seconds of the service so far; bytes of memory: the peak since the last reading, the
    memory now, and the container's peak since its start (0 without a container)."""

    cpu_seconds: float
    peak_bytes: float
    bytes: float
    group_peak_bytes: float


class LimitedService(ABC):
    """The service at `port` of the loopback interface."""

    def __init__(self, port: int) -> None:
        self.port: Final = port

    @abstractmethod
    def usage(self) -> Usage:
        """The use of resources; the next peak starts now. Raises `MeasurementError` if the service
        has ended."""

    @abstractmethod
    def end(self) -> str:
        """Why the service has ended, or an empty string while it runs."""

    def health_seconds(self, timeout: float = SECONDS) -> float:
        """The time that `GET /healthz` takes. Raises `OSError` or `http.client.HTTPException`."""
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        if status != http.client.OK:
            raise http.client.HTTPException(f"status {status}")
        return time.monotonic() - start

    def post(
        self, content: bytes | Iterable[bytes], content_type: str, length: int | None = None
    ) -> Response:
        """Send an image, of `length` bytes if it comes in pieces. Raises `OSError` or
        `http.client.HTTPException`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        headers = {"Content-Type": content_type}
        if length is not None:
            headers["Content-Length"] = str(length)
        with contextlib.closing(connection):
            # The service may refuse before the end of the body: then it has sent its response.
            with contextlib.suppress(BrokenPipeError):
                connection.request("POST", "/", content, headers)
            response = connection.getresponse()
            return Response(response.status, _decoded(response.read()))

    def wait(self) -> None:
        """Wait until the service responds. Raises `MeasurementError`."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if why := self.end():
                raise MeasurementError(f"the service does not start: {why}")
            try:
                self.health_seconds(timeout=5)
            except (OSError, http.client.HTTPException):
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise MeasurementError(f"the service does not respond within {START_SECONDS:g} s")


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


class _Container(LimitedService):
    def __init__(self, port: int, name: str) -> None:
        super().__init__(port)
        self._name = name

    def usage(self) -> Usage:
        try:
            text = python_in(self._name, Path(proc.__file__).read_text("utf-8"), ["1"])
        except subprocess.CalledProcessError as error:
            raise MeasurementError(
                f"the container cannot be measured: {self.end() or error.stderr.strip()}"
            ) from None
        return Usage(**json.loads(text))

    def end(self) -> str:
        state = json.loads(docker("inspect", "--format", "{{json .State}}", self._name))
        if state["OOMKilled"]:
            return "killed for lack of memory"
        if state["Running"]:
            return ""
        done = subprocess.run(
            ["docker", "logs", "--tail", "1", self._name],
            capture_output=True,
            text=True,
            check=False,
        )
        return f"status {state['ExitCode']}: {(done.stdout + done.stderr).strip()[:200]}"


class _Process(LimitedService):
    def __init__(self, started: Running) -> None:
        super().__init__(started.port)
        self._tree: ProcessTree = started.tree

    def usage(self) -> Usage:
        if why := self.end():
            raise MeasurementError(f"the service has ended: {why}")
        return Usage(**proc.take(self._tree.popen.pid))._replace(group_peak_bytes=0.0)

    def end(self) -> str:
        status = self._tree.popen.poll()
        return "" if status is None else f"status {status}"


@dataclass(frozen=True)
class Memory:
    """The memory of a container: `text` as docker run takes it, such as "512m" or "1g"."""

    text: str
    mebibytes: int

    def __str__(self) -> str:
        return f"{self.mebibytes} MB" if self.mebibytes % 1024 else f"{self.mebibytes // 1024} GB"


def memory_size(text: str) -> Memory:
    """An option type: "512m" or "1g"."""
    units = {"m": 1, "g": 1024}
    if text[:-1].isdecimal() and text[-1:].lower() in units and int(text[:-1]):
        return Memory(text.lower(), int(text[:-1]) * units[text[-1].lower()])
    raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512m or 1g")


def build_image() -> None:
    """Build the web image of the working tree. Raises `UsageError`."""
    if not docker_answers():
        raise UsageError("Docker is not running. Start it, or use --no-docker.")
    try:
        docker("build", "--quiet", "--target", "web", "--tag", IMAGE, ".", timeout=1800)
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().splitlines() or ["docker build printed no error"]
        raise UsageError(
            f"The image cannot be built: {why[-1]}. Try: docker build --target web ."
        ) from None


@contextlib.contextmanager
def limited(memory: Memory, *, container: bool) -> Iterator[LimitedService]:
    """Start the service with one CPU and `memory`, as SECURITY.md recommends; it ends with the
    context. Raises `MeasurementError` if it does not start."""
    with _container(memory) if container else _process(memory) as service:
        service.wait()
        yield service


@contextlib.contextmanager
def _container(memory: Memory) -> Iterator[LimitedService]:
    port = free_port()
    limits = ("--memory", memory.text, "--memory-swap", memory.text, "--cpus", "1", "--read-only")
    publish = ("--publish", f"127.0.0.1:{port}:{_PORT}")
    name = docker("run", "--detach", *limits, *publish, IMAGE)
    try:
        yield _Container(port, name)
    finally:
        docker("rm", "--force", name)


@contextlib.contextmanager
def _process(memory: Memory) -> Iterator[LimitedService]:
    if not Path("/proc/self/clear_refs").exists():
        raise UsageError("Without Docker, peak memory is read from /proc, which only Linux has.")
    settings = {"THREADS": "1", "ACCESS_LOG": "0", "MEMORY_BYTES": str(_budget(memory))}
    with running(replace(SERVICE, environment=settings)) as started:
        yield _Process(started)


def _budget(memory: Memory) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _BUDGET, str(memory.mebibytes)],
        cwd=FUNCTION,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "THREADS": "1"},
    )
    if done.returncode:
        raise MeasurementError(f"the service does not start: {done.stderr.strip()[-200:]}")
    return int(done.stdout)
