"""What the process is told where it serves on its own, and not in Lambda."""

import logging
import signal
import sys
import threading


def prepare_server() -> None:
    """Log requests in our own way, and end with status 0 when asked to."""
    _silence_access_log()
    if threading.current_thread() is threading.main_thread() and (
        "uvicorn" in sys.modules and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        # uvicorn finishes what it has begun, and then raises the signal again. Its workers import
        # the application when they have their own handler, which is to stay.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))


def _silence_access_log() -> None:
    """No line of uvicorn's own for each request, nor its cost, as with `--no-access-log`."""
    log = logging.getLogger("uvicorn.access")
    log.handlers = []
    log.propagate = False
