"""The load clients, against a server whose delays and failures are known."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.bench.client import apply_load, client_name, has_wrk, write_requests
from local.bench.servers import Failed
from local.load.bodies import Body
from tests.support.stub import Stub, serving_stub

BOTH = pytest.mark.parametrize(
    "wrk",
    [False, pytest.param(True, marks=pytest.mark.skipif(not has_wrk(), reason="no wrk here"))],
)
BODIES = [Body(b"first", "image/jpeg"), Body(b"second\r\n\0", "image/png; a=b")]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving_stub() as running:
        yield running


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return write_requests(BODIES, tmp_path / "requests")


@BOTH
def test_each_connection_sends_as_soon_as_it_is_answered(
    stub: Stub, requests: Path, wrk: bool
) -> None:
    # when two connections are answered after 50 ms each
    load = apply_load(f"{stub.url}/delay/0.05", requests, connections=2, seconds=1, wrk=wrk)
    # then
    assert load.failed == 0
    assert 20 <= load.requests <= 42
    assert 50 <= load.p50_ms <= load.p99_ms < 500
    assert 0.9 <= load.wall_s < 2


@BOTH
def test_bodies_are_sent_in_turn_with_their_types(stub: Stub, requests: Path, wrk: bool) -> None:
    apply_load(f"{stub.url}/delay/0.05", requests, connections=1, seconds=1, wrk=wrk)
    sent = [(each.body, each.headers["content-type"]) for each in stub.received[-4:]]
    turn = [(each.content, each.content_type) for each in BODIES]
    assert sent in ([*turn, *turn], [*turn[::-1], *turn[::-1]])


@BOTH
def test_failures_are_counted(stub: Stub, requests: Path, wrk: bool) -> None:
    url = stub.follow("delay/0.05", "status/500", "delay/0.05", "delay/0.05")
    load = apply_load(url, requests, connections=1, seconds=1, wrk=wrk)
    assert load.answered + load.failed == load.requests
    assert 0.15 <= load.failed / load.requests <= 0.35


@BOTH
def test_no_answer_at_all_is_an_error(stub: Stub, requests: Path, wrk: bool) -> None:
    with pytest.raises(Failed, match="no request was answered"):
        apply_load(f"{stub.url}/status/500", requests, connections=1, seconds=1, wrk=wrk)


def test_the_client_has_a_name() -> None:
    assert client_name().startswith("wrk " if has_wrk() else "local.load")
