"""uvicorn's supervisor of worker processes, with sockets and metrics for each."""

import signal
import time
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Final

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from classifier.server.listener import reserve_addresses
from classifier.server.shared_metrics import shared_metrics

_POLL_SECONDS: Final = 0.1

_ENDING: Final = {signal.SIGINT, signal.SIGTERM}


class _Supervisor(Multiprocess):
    _hurries = False
    """Whether the workers should not drain"""

    def init_processes(self) -> None:
        """Start one worker, and the others when it serves: if it cannot, because of the model or
        the memory, its message is the only one."""
        first = self._start()
        while not self.signal_queue and first.process.is_alive():
            if first.is_ready(timeout=1):
                break
            time.sleep(_POLL_SECONDS)
        if first.exitcode == STARTUP_FAILURE or _ENDING.intersection(self.signal_queue):
            return
        for _ in range(1, self.processes_num):
            self._start()

    def handle_int(self) -> None:
        """Like one process, which drains only on SIGTERM."""
        super().handle_int()
        self._hurries = True

    def join_all(self) -> None:
        """Wait for the workers. A second signal ends their draining; uvicorn would not look."""
        while alive := [each.process for each in self.processes if each.process.is_alive()]:
            alive[0].join(_POLL_SECONDS)
            if _ENDING.intersection(self.signal_queue):
                self._hurries = True
            if self._hurries:
                # Again and again: a worker takes signals in quick succession for one.
                for process in alive:
                    process.terminate()
        super().join_all()

    def _start(self) -> Process:
        process = Process(self.config, self.sockets)
        # Ctrl-C goes to the workers, too. While one imports its modules, the signal waits until
        # the worker has uvicorn's handlers (configure_process), instead of a traceback.
        ensure_running()  # or process.start() would do that, and unblock the signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self.processes.append(process)
        return process


def supervise(config: Config) -> None:
    """Run the workers of `config` until a signal ends them. Raises `SettingsError`; exits with
    status 2 if a worker cannot start, which says why."""
    supervisor = _Supervisor(config, sockets=reserve_addresses(config))
    try:
        with shared_metrics(config.workers):
            supervisor.run()
    finally:
        if config.uds:
            Path(config.uds).unlink(missing_ok=True)
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(2)
