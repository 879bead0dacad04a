"""A short run of `python -m tests.measure.soak`, without the measurement of memory."""

import asyncio
from pathlib import Path

from tests.measure import soak
from tests.support.server import serving
from tests.support.wait import wait_until


def test_soak_leaves_no_threads_or_descriptors(tmp_path: Path) -> None:
    """Requests of every kind get the right status. When all connections have ended, there are no
    more threads and descriptors than before."""
    with serving(tmp_path / "log", *soak.OPTIONS, THREADS="2") as server:
        responses = [soak.warm_up(server, requests=30, seed=1)]
        before = soak.size_of(server)
        responses.append(asyncio.run(soak.soak(server, requests=201, seed=2)))

        def has_returned() -> bool:
            size = soak.size_of(server)
            return size.threads <= before.threads and size.descriptors <= before.descriptors

        wait_until(has_returned, f"a return to {before}")
        disconnects = 1 + 3
        wait_until(
            lambda: server.log.read_text().count('"status":499') == disconnects,
            "a log line for each disconnect",
        )
        log = server.log.read_text()
    assert [counts.wrong for counts in responses] == [[], []]
    assert [counts.statuses.total() for counts in responses] == [30, 201]
    assert "Traceback" not in log
