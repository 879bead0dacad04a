"""Lambda's runtime API for an environment of Managed Instances: it invokes a function several times
at once. Runs in the function's container, on the standard library alone:

    docker run -i --volume runtime_api.py:/runtime_api.py --entrypoint python IMAGE \\
        /runtime_api.py 4 < events.json

Starts the runtime for that many requests at once, sends it the events, the first ones only when
all of its processes wait for one, and prints, as JSON, the responses and what the processes took.

Source of the paths: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
"""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

RUNTIME: Final = "/var/runtime/bootstrap"
HANDLER: Final = "main.handler"

_SECONDS: Final = 120
"""For a start and all invocations; a machine under load is slow"""


class Invocations:
    """The events, and what the function returned for each."""

    def __init__(self, events: list[Any], processes: int) -> None:
        self.responses: list[Any] = [None] * len(events)
        self.failed: list[Any] = []
        self.finished = threading.Event()
        self._events = queue.SimpleQueue[tuple[int, Any]]()
        for numbered in enumerate(events):
            self._events.put(numbered)
        self._left = len(events)
        self._polls = itertools.count()
        self._all_wait = threading.Barrier(processes)
        self._lock = threading.Lock()

    def next(self) -> tuple[int, Any]:
        """The next event and its number. The first call of each process returns when all processes
        have called; without an event, a call does not return."""
        if next(self._polls) < self._all_wait.parties:
            self._all_wait.wait(_SECONDS)
        return self._events.get()

    def end(self, number: int, response: Any, *, failed: bool) -> None:
        self.responses[number] = response
        with self._lock:
            if failed:
                self.failed.append(response)
            self._left -= 1
        if not self._left:
            self.finished.set()

    def failed_to_start(self, error: Any) -> None:
        self.failed.append(error)
        self.finished.set()


def server(invocations: Invocations) -> ThreadingHTTPServer:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number, event = invocations.next()
            deadline = str(int((time.time() + _SECONDS) * 1e3))
            self.answer(
                json.dumps(event).encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
                    "Lambda-Runtime-Deadline-Ms": deadline,
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:::function:classifier",
                },
            )

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            *_, request, kind = self.path.split("/")
            self.answer(b"{}", {}, 202)
            if request == "init":
                invocations.failed_to_start(content)
            else:
                number = int(request.removeprefix("request-"))
                invocations.end(number, content, failed=kind == "error")

        def answer(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: Any) -> None:
            """stderr is the function's."""

    return ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)


def children(parent: int) -> list[Path]:
    """The directories in /proc of the processes that `parent` has started."""
    folders = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:  # it has ended
            continue
        if f"\nPPid:\t{parent}\n" in status:
            folders.append(folder)
    return folders


def process_figures(folder: Path) -> dict[str, float]:
    """Memory of a process in MiB, and its threads: `rss` is all that it uses, `pss` its share."""
    lines = (folder / "smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    return {
        "rss": kilobytes["Rss"] / 1024,
        "pss": kilobytes["Pss"] / 1024,
        "threads": len(list((folder / "task").iterdir())),
    }


def run(events: list[Any], processes: int) -> dict[str, Any]:
    """What the function did with `events`."""
    invocations = Invocations(events, processes)
    api = server(invocations)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_MAX_CONCURRENCY": str(processes),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances",
        "AWS_LAMBDA_FUNCTION_NAME": "classifier",
        "_HANDLER": HANDLER,
    }
    with tempfile.TemporaryFile() as log:
        runtime = subprocess.Popen(
            [RUNTIME], env={**os.environ, **environment}, stdout=log, stderr=log, process_group=0
        )
        try:
            while not invocations.finished.wait(0.1) and runtime.poll() is None:
                pass
            running = runtime.poll() is None
            figures = [process_figures(folder) for folder in children(runtime.pid) if running]
        finally:
            with contextlib.suppress(ProcessLookupError):  # all have refused to start
                os.killpg(runtime.pid, signal.SIGKILL)
            runtime.wait()
        log.seek(0)
        return {
            "responses": invocations.responses,
            "failed": invocations.failed,
            "processes": figures,
            "log": log.read().decode(),
            "files": [str(path) for path in Path(tempfile.gettempdir()).iterdir()],
        }


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin), int(sys.argv[1]))))
