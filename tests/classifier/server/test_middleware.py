"""Headers of every response, and the response to an unexpected exception."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from classifier.images import UNLIMITED
from classifier.server.admission import Admission
from classifier.server.middleware import SECURITY_HEADERS, ServiceMiddleware
from classifier.server.readiness import Readiness
from classifier.settings import Settings
from classifier.telemetry.metrics import Metrics
from tests.support import raw
from tests.support.access_log import line_of
from tests.support.server import Server, serving

VARIABLE = {"date", "x-request-id", "content-length"}
"""Headers that differ between two responses: the metrics grow"""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/docs", 200),
        ("GET", "/page/page.js", 200),
        ("GET", "/page/page.css", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/model", 200),
        ("GET", "/nothing", 404),
        ("GET", "/page/../main.py", 404),
        ("DELETE", "/", 405),
        ("POST", "/", 422),
    ],
)
def test_every_response_has_security_headers(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert SECURITY_HEADERS.keys() <= response.headers.keys()
    for name, value in SECURITY_HEADERS.items():
        assert len(response.headers.get_list(name)) == 1
        assert name == "content-security-policy" or response.headers[name] == value
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/healthz", 200),
        ("/model", 200),
        ("/metrics", 200),
        ("/docs", 200),
        ("/problems", 200),
        ("/openapi.json", 200),
        ("/page/page.css", 200),
        ("/page/cat.jpg", 200),
        ("/nothing", 404),
        ("/uploads", 405),
        ("/docs/", 307),
    ],
)
def test_head_gets_the_headers_of_get_without_a_body(
    server: Server, path: str, status: int
) -> None:
    """The next response on the connection shows that no body was sent."""
    get, head = (
        {name: value for name, value in response.headers.items() if name not in VARIABLE}
        for response in (server.client.get(path), server.client.head(path))
    )
    assert get == head
    with raw.connection(server.url) as client:
        line = f"HEAD {path} HTTP/1.1\r\nHost: service\r\n"
        client.sendall(f"{line}\r\n{line}Connection: close\r\n\r\n".encode())
        received = raw.response(client)
    responses = received.split(b"\r\n\r\n")
    assert [raw.status(each) for each in responses[:2]] == [status, status]
    assert responses[2:] == [b""]


def test_body_of_a_response_to_head_reaches_no_server() -> None:
    """uvicorn would drop it; on Lambda nothing would."""
    sent: list[Message] = []

    def fail(request: Request, error: Exception) -> Response:
        raise error

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    settings = Settings(access_log=False)
    app = ServiceMiddleware(
        PlainTextResponse("content"),
        metrics=Metrics(),
        settings=settings,
        readiness=Readiness(Admission(lambda: 0, UNLIMITED, limit=1)),
        respond=fail,
    )
    scope = {"type": "http", "method": "HEAD", "path": "/", "headers": []}
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    assert (b"content-length", b"7") in start["headers"]
    assert b"".join(message["body"] for message in bodies) == b""


def test_access_log_has_the_method_head(server: Server) -> None:
    server.client.head("/model", headers={"x-request-id": "headers-only"})
    line = line_of(server, "headers-only")
    assert (line["method"], line["status"]) == ("HEAD", 200)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, POST"),
        ("/healthz", "GET, HEAD"),
        ("/page/page.css", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/uploads", "POST"),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "DELETE"])
def test_other_methods_get_405_with_the_allowed_ones(
    client: httpx.Client, path: str, allowed: str, method: str
) -> None:
    refused = client.request(method, path)
    assert refused.status_code == 405
    assert refused.headers["allow"] == allowed


def test_unexpected_exception_gets_500_with_security_headers(tmp_path: Path, sample: bytes) -> None:
    """The details are in the log only."""
    (tmp_path / "broken.py").write_text(
        "import classifier.classifier\n"
        "def fail(*_, **__):\n    raise RuntimeError('secret detail')\n"
        "classifier.classifier.Classifier.classify = fail\n"
        "from main import app\n"
    )
    with serving(tmp_path / "log", app="broken:app", PYTHONPATH=str(tmp_path)) as server:
        response = server.client.post("/", files={"file": sample})
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers.keys() >= {"x-request-id", *SECURITY_HEADERS}
        assert "secret" not in response.text
        assert server.client.get("/healthz").status_code == 200
    assert "RuntimeError: secret detail" in server.log.read_text()


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
def test_cross_origin_requests_get_no_cors_headers(client: httpx.Client, origin: str) -> None:
    """Neither for a simple request nor for a preflight."""
    headers = {"origin": origin, "access-control-request-method": "POST"}
    for response in (
        client.post("/", files={"file": b"x"}, headers=headers),
        client.get("/", headers=headers),
        client.options("/", headers=headers),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert client.options("/", headers=headers).status_code == 405


def test_forwarded_headers_are_ignored(client: httpx.Client, sample: bytes) -> None:
    """Given a client that uvicorn trusts as a proxy (FORWARDED_ALLOW_IPS)."""
    forwarded = {
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=x",
    }
    plain, proxied = (client.post("/", files={"file": sample}, headers=h) for h in ({}, forwarded))
    assert plain.json() == proxied.json()
    assert "evil" not in client.get("/docs/", headers=forwarded).headers["location"]
