"""One line of JSON for each request."""

import re

import httpx
import pytest

from tests.support.access_log import line_of
from tests.support.server import Server


def test_each_request_is_logged_as_one_line(server: Server, sample: bytes) -> None:
    files, headers = {"file": ("private-name.jpg", sample)}, {"x-request-id": "trace-1:a/b"}
    response = server.client.post("/", files=files, headers=headers)
    generated = server.client.get("/no%22thing%0A").headers["x-request-id"]
    posted, not_found = line_of(server, "trace-1:a/b"), line_of(server, generated)
    assert response.headers["x-request-id"] == "trace-1:a/b"
    assert re.fullmatch("[0-9a-f]{16}", generated)
    assert (posted["method"], posted["path"]) == ("POST", "/")
    assert (posted["status"], posted["images"]) == (200, 1)
    assert len(sample) < posted["bytes_in"] < len(sample) + 1000
    timing = response.headers["server-timing"]
    stages = ("queue", "decode", "infer")
    assert timing == ", ".join(f"{name};dur={posted[f'{name}_ms']:.2f}" for name in stages)
    assert posted["ms"] > sum(posted[f"{name}_ms"] for name in stages) > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", posted["time"])
    assert not_found["path"] == '/no"thing\n'
    assert (not_found["status"], not_found["bytes_in"]) == (404, 0)
    assert "images" not in not_found
    log = server.log.read_text()
    assert "private-name" not in log
    assert '"POST / HTTP/1.1" 200' not in log  # uvicorn's own lines


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'say "hi"', "Ünïcode", "<b>"])
def test_invalid_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    response = client.get("/healthz", headers={b"x-request-id": given.encode()})
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])
