"""The relay forwards unchanged and counts connections."""

import httpx

from tests.clients.relay import relaying
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS


def test_relay_has_a_head_for_each_connection(stub: Stub) -> None:
    """Given a server that keeps connections, however long they are idle."""
    stub.metrics = "up 1"
    with relaying(stub.url) as relay:
        for _ in range(2):
            with httpx.Client(
                base_url=relay.url, headers={"x-name": "value"}, timeout=HANG_SECONDS
            ) as client:
                assert client.get("/metrics").text == "up 1"
                assert client.get("/metrics").is_success
    assert len(relay.heads) == 2
    assert all(b"x-name: value\r\n" in head for head in relay.heads)
