"""A rolling restart of two instances behind a load balancer that follows /readyz."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

from classifier.server.draining import SAME_SIGNAL_SECONDS
from tests.support.balancer import Balancer, balancing
from tests.support.ports import free_port
from tests.support.server import Server, serving_as_set
from tests.support.steady_load import steady_load
from tests.support.wait import HANG_SECONDS, wait_until

DRAIN_SECONDS = 2 * HANG_SECONDS
"""The test ends it by a second signal, when the balancer has reacted: however long that takes."""


class Instance:
    """A service on a fixed port, which can be started again."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.port = free_port()
        self._log = folder / f"{self.port}.log"
        self._stack = stack
        self.server = self._start()

    def _start(self) -> Server:
        environment = {
            "PORT": str(self.port),
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            # A client's pause between two requests is never longer.
            "KEEP_ALIVE_SECONDS": str(HANG_SECONDS),
        }
        server = self._stack.enter_context(serving_as_set(self._log, **environment))
        self._stack.callback(server.process.send_signal, signal.SIGINT)  # at the end, no draining
        return server

    def restart(self, balancer: Balancer) -> None:
        """As a platform does: signal, wait, start."""
        process = self.server.process
        process.send_signal(signal.SIGTERM)
        wait_until(
            lambda: not balancer.is_ready(self.port) and not balancer.connections(self.port),
            "a balancer that has left the instance",
        )
        time.sleep(SAME_SIGNAL_SECONDS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG_SECONDS) == 0
        self.server = self._start()
        wait_until(lambda: balancer.is_ready(self.port), "an instance that is ready")


def test_no_request_fails_during_a_rolling_restart(tmp_path: Path, sample: bytes) -> None:
    """Given clients that keep their connections and clients that do not."""
    with ExitStack() as stack:
        instances = [Instance(tmp_path, stack) for _ in range(2)]
        balancer = stack.enter_context(balancing([each.port for each in instances]))
        for each in instances:
            wait_until(lambda each=each: balancer.is_ready(each.port), "two instances")  # type: ignore[misc]
        with steady_load(balancer.url, sample) as load:
            for each in instances:
                load.wait_for_more()
                each.restart(balancer)
                load.wait_for_more()
        assert set(load.results) == {200}
