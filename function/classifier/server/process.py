"""Settings of a process that serves by itself, and not in Lambda."""

import asyncio
import logging
import os
import signal
import sys
import threading


def configure_process() -> None:
    """Replace uvicorn's access log, log cancelled requests in one line, end with the supervisor,
    and exit with status 0 on SIGTERM."""
    _disable_uvicorn_access_log()
    logging.getLogger("uvicorn.error").addFilter(_shorten_cancellation)
    _follow_supervisor()
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


def _follow_supervisor() -> None:
    """If this is a worker: take the signals that waited for uvicorn's handlers, and end as after
    SIGTERM if the supervisor is killed. Otherwise the worker would serve on, and take connections
    from the next service on the same port."""
    multiprocessing = sys.modules.get("multiprocessing")
    supervisor = multiprocessing.parent_process() if multiprocessing else None
    if supervisor is None:
        return
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def wait() -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


def _shorten_cancellation(record: logging.LogRecord) -> bool:
    """A filter: one line instead of a traceback for each request that the end of the process
    cancels, after a second SIGINT or uvicorn's --timeout-graceful-shutdown."""
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        record.msg, record.args, record.exc_info = "A request was cancelled", (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True
