"""Settings of a process that serves by itself, and not in Lambda."""

import logging
import signal
import sys
import threading


def configure_process() -> None:
    """Replace uvicorn's access log, and exit with status 0 on SIGTERM."""
    _disable_uvicorn_access_log()
    if threading.current_thread() is threading.main_thread() and (
        "uvicorn" in sys.modules and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        # uvicorn completes its shutdown and then raises the signal again. Its workers import the
        # application after they have set their own handler, which stays.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))


def _disable_uvicorn_access_log() -> None:
    """As with `--no-access-log`, which also saves the cost of each line."""
    log = logging.getLogger("uvicorn.access")
    log.handlers = []
    log.propagate = False
