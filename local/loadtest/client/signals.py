"""SIGINT and SIGTERM, at times that suit."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Final

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signal_socket() -> Iterator[socket.socket]:
    """A socket that receives a byte, the number of the signal, for each one that arrives: between
    two steps of a loop and never within one."""
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
    """Signals wait: a process that is made meanwhile can put away its parent's handlers first."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def reset_in_child() -> None:
    """For a process that was made while signals were `blocked`. A terminal's Ctrl-C reaches every
    process; the parent decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
