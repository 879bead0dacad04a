"""The relay forwards unchanged and counts connections."""

import httpx

from tests.clients.relay import relaying
from tests.support.server import Server


def test_relay_has_a_head_for_each_connection(server: Server) -> None:
    with relaying(server.url) as relay:
        for _ in range(2):
            with httpx.Client(base_url=relay.url, headers={"x-name": "value"}) as client:
                assert client.get("/healthz").json()["status"] == "ok"
                assert client.get("/healthz").is_success
    assert len(relay.heads) == 2
    assert all(b"x-name: value\r\n" in head for head in relay.heads)
