"""Security headers of every response, CORS, proxies, and the response to a defect."""

from pathlib import Path

import httpx
import pytest

from classifier.server.middleware import SECURITY_HEADERS
from tests.support.server import serving


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
def test_every_answer_is_strict(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert SECURITY_HEADERS.keys() <= answer.headers.keys()
    for name, value in SECURITY_HEADERS.items():
        assert len(answer.headers.get_list(name)) == 1
        assert name == "content-security-policy" or answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


def test_a_defect_is_answered_strictly_too(tmp_path: Path, sample: bytes) -> None:
    """Given a model that fails: a problem with all headers, the traceback in the log alone."""
    (tmp_path / "broken.py").write_text(
        "import classifier.classifier\n"
        "def fail(*_):\n    raise RuntimeError('secret detail')\n"
        "classifier.classifier.Classifier.classify = fail\n"
        "from main import app\n"
    )
    with serving(tmp_path / "log", app="broken:app", PYTHONPATH=str(tmp_path)) as server:
        answer = server.client.post("/", files={"file": sample})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers.keys() >= {"x-request-id", *SECURITY_HEADERS}
        assert "secret" not in answer.text
        assert server.client.get("/healthz").status_code == 200
    assert "RuntimeError: secret detail" in server.log.read_text()


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
def test_other_sites_get_no_leave(client: httpx.Client, origin: str) -> None:
    """No CORS: neither for a simple request nor for a preflight."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    for answer in (
        client.post("/", files={"file": b"x"}, headers=asked),
        client.get("/", headers=asked),
        client.options("/", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/", headers=asked).status_code == 405


def test_what_a_proxy_would_say_changes_nothing(client: httpx.Client, sample: bytes) -> None:
    """Whom uvicorn believes is its own setting, FORWARDED_ALLOW_IPS; this peer is one of them."""
    said = {
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=x",
    }
    plain, proxied = (client.post("/", files={"file": sample}, headers=h) for h in ({}, said))
    assert plain.json() == proxied.json()
    assert "evil" not in client.get("/docs/", headers=said).headers["location"]
