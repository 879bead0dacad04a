"""Worker processes that classify files: the paths go out, the rows come back in order.

One thread in each process, so that none waits for another's Python code: with two threads in one
process, two cores reached 0.94 of the rate of bare loops (`make bench-folder`). Declined:
`concurrent.futures.ProcessPoolExecutor`, which cannot have several threads in a process, and reads
its input without bound; `multiprocessing.Process`, which starts one more process to track resources
that are not used here, and lets Ctrl-C reach the new one.
"""

import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Final, Self

from classifier.batch.messages import Ready, Refused
from classifier.batch.rows import Row
from classifier.memory import usable_memory
from classifier.server.workers import PROCESS_BYTES
from classifier.settings import Settings

_AHEAD: Final = 4
"""Paths that wait in a worker beside those in progress: it then has work even while this process
waits for a core."""

_WINDOW: Final = 128
"""For each thread: paths that are sent before the row of the first has come. Threads wait for an
image only if it takes as long as this many others. The slowest accepted image takes 1.5 s, a JPEG
of 100 kB 12 ms."""


class WorkerError(Exception):
    """A worker cannot start; the message is one line."""


class WorkerCrash(Exception):
    """A worker has ended by itself; the message is one line."""


def default_processes(settings: Settings) -> int:
    """Worker processes for the whole `settings`; 1 or more: one for each of THREADS, if each has
    the memory that the largest photos take."""
    memory = settings.memory_bytes or usable_memory()
    limits = [settings.threads, memory // PROCESS_BYTES]
    if settings.max_held_bytes:
        limits.append(settings.max_held_bytes // settings.max_bytes)
    return max(1, min(limits))


class Workers:
    """Up to `processes` workers, which divide `settings`. They start when there is work for them.
    A context manager: its end stops the workers."""

    def __init__(self, settings: Settings, processes: int, top_k: int) -> None:
        """Raises `SettingsError` if the share of a process is too small."""
        self._share = settings.share(processes)
        self._processes = processes
        self._top_k = top_k
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for worker in self._workers:
            worker.stop()

    def start(self) -> Ready:
        """Start the first worker, and wait until it can work. Raises `WorkerError` and
        `WorkerCrash`."""
        worker = self._start_worker()
        worker.receive()
        assert worker.ready
        return worker.ready

    def classify(
        self, paths: Iterable[str], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Row]:
        """The rows of `paths`, in their order. When `stopped()`, no more paths are sent, and the
        rows of those that were sent are still given. Raises `WorkerError` and `WorkerCrash`."""
        source = enumerate(paths)
        rows: dict[int, Row] = {}
        given = 0
        window = _WINDOW * self._share.threads * self._processes
        job = next(source, None)
        while any(worker.load() for worker in self._workers) or job:
            while job and job[0] - given < window and (worker := self._free_worker()):
                worker.send(job)
                job = None if stopped() else next(source, None)
            self._receive(rows)
            while given in rows:
                yield rows.pop(given)
                given += 1
            if stopped():
                job = None

    def _free_worker(self) -> "_Worker | None":
        """The one with the fewest paths, if it takes another."""
        least = min(self._workers, key=_Worker.load, default=None)
        if (least is None or least.load() >= self._share.threads) and (
            len(self._workers) < self._processes
        ):
            return self._start_worker()
        return least if least and least.load() < self._share.threads + _AHEAD else None

    def _start_worker(self) -> "_Worker":
        worker = _Worker(self._share, self._top_k)
        self._workers.append(worker)
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        return worker

    def _receive(self, rows: dict[int, Row]) -> None:
        """Wait until workers have messages, and receive them."""
        for key, _ in self._selector.select():
            rows.update(key.data.receive())


class _Worker:
    """A process, and the paths that it has."""

    def __init__(self, settings: Settings, top_k: int) -> None:
        own, other = socket.socketpair()
        self.connection = Connection(own.detach())
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from classifier.batch.worker import main; main({other.fileno()})"
        )
        # Ctrl-C is for this process. The mask is inherited, and holds from the first moment on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.connection.send((settings, top_k))  # before `other` is closed: it cannot fail
        other.close()
        self._paths: dict[int, str] = {}
        self.ready: Ready | None = None

    def load(self) -> int:
        """The number of paths without a row"""
        return len(self._paths)

    def send(self, job: tuple[int, str]) -> None:
        """Raises `WorkerCrash`."""
        number, path = job
        self._paths[number] = path
        try:
            self.connection.send(job)
        except OSError:
            raise self._crash() from None

    def receive(self) -> dict[int, Row]:
        """The next row by its number; none if the worker has become ready. Raises `WorkerError`
        and `WorkerCrash`."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            raise self._crash() from None
        if isinstance(message, Refused):
            raise WorkerError(message.reason)
        if self.ready is None:
            self.ready = message
            return {}
        number, row = message
        del self._paths[number]
        return {number: row}

    def stop(self) -> None:
        self.connection.close()
        self._process.wait()

    def _crash(self) -> WorkerCrash:
        self._process.wait()
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        hint = " The memory may be full: reduce THREADS." if code == -signal.SIGKILL else ""
        files = ", ".join(map(repr, self._paths.values())) or "no file"
        return WorkerCrash(f"A worker process {how}; it had {files}.{hint}")
