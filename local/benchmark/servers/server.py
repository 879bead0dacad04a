"""The servers under measurement: commands, requests and responses."""

import contextlib
import http.client
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.benchmark.servers.processes import ProcessTree, last_line, process_tree
from local.common.cpu import cpu_count
from local.common.paths import FUNCTION, ROOT
from local.loadtest.payload import Payload

START_SECONDS: Final = 120.0
"""Maximum time from a server's start to its first response."""

_ANSWER_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.005

Settings = Mapping[str, str]


class MeasurementError(Exception):
    """A measurement failed; the message is one line that says why."""


class RequestRejected(MeasurementError):
    """A server responded with a client error (4xx)."""


@dataclass(frozen=True)
class Server:
    """`{python}` and `{port}` in `command` are filled in; images are POSTed to `path`."""

    key: str
    title: str
    command: str
    path: str = "/"
    fp32: bool = False
    """It runs the float model, so its predictions may differ."""
    environment: Settings = field(default_factory=dict)
    root: Path = ROOT
    """The checkout of the project that it is part of."""


UVICORN: Final = (
    "{python} -m uvicorn --app-dir function main:app"
    " --http classifier.server.protocol:TimeoutProtocol --host 127.0.0.1 --port {port}"
)
"""The service of any version"""

SERVICE: Final = Server(
    "service",
    "this service",
    "{python} -m classifier.server --host 127.0.0.1 --port {port}",
)
NAIVE: Final = Server(
    "naive",
    "tutorial app, FP32",
    "{python} -m uvicorn local.benchmark.apps.naive:app --host 127.0.0.1 --port {port}",
    fp32=True,
)
LITSERVE: Final = Server(
    "litserve", "LitServe", "{python} -m local.benchmark.apps.litserve_app", "/predict"
)
BENTOML: Final = Server(
    "bentoml",
    "BentoML",
    "{python} -m bentoml serve local.benchmark.apps.bentoml_app:ImageClassifier"
    " --host 127.0.0.1 --port {port}",
    "/classify",
    environment={"BENTOML_DO_NOT_TRACK": "True"},
)
COMPETITORS: Final = (LITSERVE, BENTOML)


def earlier(root: Path) -> Server:
    """The service of another checkout, in this environment."""
    # Only `uvicorn main:app` is a contract of all versions.
    return Server("before", "this service, before", UVICORN, root=root)


@dataclass
class Running:
    """A server at `port` of the loopback interface."""

    server: Server
    port: int
    tree: ProcessTree
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.server.path}"

    def post(self, payload: Payload) -> Any:
        """The decoded JSON response to `payload`. Raises `MeasurementError`, `OSError` or
        `http.client.HTTPException`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)
        with contextlib.closing(connection):
            headers = {"Content-Type": payload.content_type}
            connection.request("POST", self.server.path, payload.content, headers)
            response = connection.getresponse()
            content = response.read()
        if response.status != http.client.OK:
            kind = RequestRejected if 400 <= response.status < 500 else MeasurementError
            raise kind(f"HTTP {response.status}: {content[:100]!r}")
        return json.loads(content)

    def wait_for_response(self, payload: Payload) -> float:
        """Seconds from the start of the process to the first response to `payload`."""
        seen = "no connection"
        while self.tree.age() < START_SECONDS:
            if self.tree.popen.poll() is not None:
                raise MeasurementError(
                    f"it ended with {self.tree.popen.returncode}: {last_line(self.log)}"
                )
            try:
                self.post(payload)
            except RequestRejected:
                raise
            except (MeasurementError, OSError, http.client.HTTPException) as error:
                seen = str(error) or type(error).__name__
                time.sleep(_POLL_SECONDS)
            else:
                return self.tree.age()
        raise MeasurementError(f"no response in {START_SECONDS:g} s, {seen}: {last_line(self.log)}")

    def best(self, payload: Payload) -> int:
        """The index of the most probable class."""
        response = self.post(payload)
        predictions = response.get("predictions", [response])
        return int(predictions[0]["index"])


def process_environment(root: Path = ROOT, /, **more: str) -> dict[str, str]:
    """Environment variables of every measured process: import path, and telemetry disabled."""
    return {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / FUNCTION.name)]),
        "ORT_DISABLE_TELEMETRY": "1",
        "OTEL_SDK_DISABLED": "true",
        **more,
    }


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A free TCP port of the loopback interface for a server that sets SO_REUSEADDR, as uvicorn
    does. On Linux, no other program gets it until the end of the context: the server needs seconds
    to start."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":  # elsewhere, a bound port cannot be bound again
            holder.close()
        yield port


@contextlib.contextmanager
def running(
    server: Server, *, python: Path | str = sys.executable, model: Path | None = None
) -> Iterator[Running]:
    """Start `server` in the environment of `python`; `model` is the float model.

    Its output goes to a temporary folder. All its processes end with the context.
    """
    with held_port() as port, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        variables = process_environment(
            server.root,
            PORT=str(port),
            WORKERS=str(cpu_count()),
            TMPDIR=folder,
            BENTOML_HOME=folder,
            **({"MODEL": str(model)} if model else {}),
            **server.environment,
        )
        command = [part.format(python=python, port=port) for part in server.command.split()]
        log = Path(folder) / "log"
        with process_tree(command, log=log, folder=server.root, environment=variables) as tree:
            yield Running(server, port, tree, log)
