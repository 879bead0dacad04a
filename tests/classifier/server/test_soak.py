"""A short run of the requests of `python -m tests.measure.soak`, which measures memory, too."""

import asyncio
from pathlib import Path

from tests.measure import soak
from tests.support.server import serving
from tests.support.wait import wait_until


def test_nothing_grows(tmp_path: Path) -> None:
    """Requests of every kind, some of them cut off, get the right status, and threads and
    descriptors are as many as before when all connections have ended."""
    with serving(tmp_path / "log", *soak.OPTIONS, THREADS="2") as server:
        responses = [soak.warm_up(server, requests=30, seed=1)]
        before = soak.size_of(server)
        responses.append(asyncio.run(soak.soak(server, requests=201, seed=2)))

        def is_as_before() -> bool:
            size = soak.size_of(server)
            return size.threads <= before.threads and size.descriptors <= before.descriptors

        wait_until(is_as_before, f"a return to {before}")
        clients_that_left = 1 + 3
        wait_until(
            lambda: server.log.read_text().count('"status":499') == clients_that_left,
            "a line for each client that left",
        )
        log = server.log.read_text()
    assert [each.wrong for each in responses] == [[], []]
    assert [each.statuses.total() for each in responses] == [30, 201]
    assert "Traceback" not in log
