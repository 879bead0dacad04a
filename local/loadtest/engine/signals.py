"""SIGINT and SIGTERM as socket events."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Final

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signal_socket() -> Iterator[socket.socket]:
    """A socket that receives a byte, the signal number, for each signal: the event loop handles
    signals between two steps."""
    parent_end, child_end = socket.socketpair()
    child_end.setblocking(False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in _STOPPING}
    before = signal.set_wakeup_fd(child_end.fileno(), warn_on_full_buffer=False)
    try:
        yield parent_end
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        parent_end.close()
        child_end.close()


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Block signals, so that a new process can reset its parent's handlers first."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def ignore_in_child() -> None:
    """Ignore signals in a process started while they were `blocked`. A terminal sends Ctrl-C to
    every process of the foreground, and `timeout` SIGTERM; only the parent reacts."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
