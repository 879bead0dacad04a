"""A process and its descendants: CPU, memory and termination."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped,unused-ignore]

_TERMINATE_SECONDS: Final = 5.0
"""Time to end after SIGTERM before SIGKILL."""

_STEP_SECONDS: Final = 0.02


class ProcessTree:
    """The process `popen`, the leader of its own session, and its descendants."""

    def __init__(self, popen: subprocess.Popen[str], started_at: float) -> None:
        """started_at: seconds of `time.monotonic`."""
        self.popen = popen
        self.started_at = started_at
        self._seen: set[psutil.Process] = {psutil.Process(popen.pid)}

    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started_at

    def members(self) -> list[psutil.Process]:
        """Its living processes, including orphans."""
        found = {
            process for process in psutil.process_iter() if _session(process.pid) == self.popen.pid
        }
        for process in self._seen | found:
            with contextlib.suppress(psutil.Error):
                found |= (
                    {process, *process.children(recursive=True)} if process.is_running() else set()
                )
        self._seen = found
        return list(found)

    def cpu_seconds(self) -> float:
        """User and system time of its processes so far, including children they waited for."""
        return _total(self.members(), _cpu_seconds)

    def peak_bytes(self) -> int:
        """The sum of the peak resident set sizes of its processes."""
        return int(_total(self.members(), _peak_bytes))

    def end(self) -> None:
        """Send SIGTERM, and SIGKILL to processes that remain after some seconds."""
        members = self.members()
        self.popen.terminate()
        self._wait_for(members, time.monotonic() + _TERMINATE_SECONDS)
        while left := [process for process in self.members() if _is_alive(process)]:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._wait_for(left, time.monotonic() + _TERMINATE_SECONDS)
        self.popen.wait()

    def _wait_for(self, members: Sequence[psutil.Process], deadline: float) -> None:
        while any(map(_is_alive, members)) and time.monotonic() < deadline:
            self.popen.poll()
            time.sleep(_STEP_SECONDS)


@contextlib.contextmanager
def process_tree(
    command: Sequence[str | Path],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Iterator[ProcessTree]:
    """Run `command` in `folder`, with `environment` added to this process's own; end all of its
    processes at the end of the context.

    Output goes to the file `log`. With `piped`, stdin and stdout are pipes and only stderr is
    logged.
    """
    tree: ProcessTree | None = None
    try:
        # In its own session, it would outlive a Ctrl-C that comes before `tree` is set.
        with _deferred_signals(), log.open("w") as output:
            started_at = time.monotonic()
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
            tree = ProcessTree(process, started_at)
        yield tree
    finally:
        if tree:
            with tree.popen:
                tree.end()


def last_line(log: Path) -> str:
    """The last line of `log`, truncated to fit in a message."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "no output")


@contextlib.contextmanager
def _deferred_signals() -> Iterator[None]:
    """SIGINT and SIGTERM take effect at the end. Blocking them instead would block them in a new
    process, too."""
    if threading.current_thread() is not threading.main_thread():  # which handles all signals
        yield
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _total(members: Sequence[psutil.Process], value: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in members:
        with contextlib.suppress(psutil.Error, OSError):  # it has just ended
            total += value(process)
    return total


def _cpu_seconds(process: psutil.Process) -> float:
    times: Any = process.cpu_times()
    waited_for = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + waited_for)


def _peak_bytes(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():  # not Linux: the current size
        return float(process.memory_info().rss)
    lines = status.read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
