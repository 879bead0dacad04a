"""Cross-origin resource sharing: off by default, and for the origins of CORS_ORIGINS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from classifier.server.middleware import SECURITY_HEADERS
from tests.classifier.api.problem import assert_problem
from tests.support.access_log import line_of
from tests.support.gate import serving_gated
from tests.support.metrics import Scrape
from tests.support.paths import SAMPLE
from tests.support.server import Server, serving

PAGE = "https://shop.example"
OTHER = "https://other.example"
EXPOSED = {"x-request-id", "server-timing", "retry-after", "www-authenticate"}


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CORS_ORIGINS": f"{PAGE}, http://localhost:3000",
        "API_KEY": "the-key",
        "MAX_BYTES": "100000",
    }
    with serving(tmp_path_factory.mktemp("sharing") / "log", **settings) as server:
        yield server


def preflight(
    client: httpx.Client,
    origin: str,
    method: str = "POST",
    *,
    path: str = "/",
    request_id: str = "",
) -> httpx.Response:
    """The request of a browser before one with a key and an image type."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
        "sec-fetch-mode": "cors",
        "x-request-id": request_id,
    }
    return client.options(path, headers=headers)


def listed(response: httpx.Response, name: str) -> set[str]:
    """The elements of a header that is a list."""
    return {each.strip() for each in response.headers.get(name, "").split(",")} - {""}


def cors_headers(response: httpx.Response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
@pytest.mark.parametrize("path", ["/", "/model", "/uploads", "/nothing"])
def test_preflight_is_answered_without_the_key(sharing: Server, origin: str, path: str) -> None:
    response = preflight(sharing.client, origin, path=path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == origin
    assert listed(response, "access-control-allow-methods") == {"GET", "HEAD", "POST"}
    assert listed(response, "access-control-allow-headers") >= {
        "authorization", "content-type", "x-request-id",
    }  # fmt: skip
    assert int(response.headers["access-control-max-age"]) > 0
    assert "Origin" in listed(response, "vary")
    assert "access-control-allow-credentials" not in response.headers


def test_preflight_is_observed_like_other_requests(sharing: Server) -> None:
    before = Scrape(sharing.client).finished(204)
    response = preflight(sharing.client, PAGE, request_id="a-preflight")
    assert response.headers["x-request-id"] == "a-preflight"
    assert response.headers.keys() >= SECURITY_HEADERS.keys()
    line = line_of(sharing, "a-preflight")
    assert (line["method"], line["status"]) == ("OPTIONS", 204)
    assert Scrape(sharing.client).finished(204) == before + 1


@pytest.mark.parametrize(
    ("origin", "method", "reason"),
    [
        (OTHER, "POST", "this origin"),
        ("null", "POST", "this origin"),
        (f"{PAGE}.evil.example", "POST", "this origin"),
        (f"{PAGE}:8443", "POST", "this origin"),
        (PAGE.replace("https", "http"), "POST", "this origin"),
        (PAGE, "DELETE", "DELETE"),
        (PAGE, "post", "post"),
    ],
)
def test_preflight_of_another_origin_or_method_is_refused(
    sharing: Server, origin: str, method: str, reason: str
) -> None:
    refused = preflight(sharing.client, origin, method)
    assert_problem(refused, 403, reason)
    assert refused.json()["type"] == "/problems#cross-origin-refused"
    assert not cors_headers(refused)


def test_options_without_a_preflight_gets_405(sharing: Server) -> None:
    for headers in ({}, {"origin": PAGE}, {"access-control-request-method": "POST"}):
        assert sharing.client.options("/", headers=headers).status_code == 405


@pytest.mark.parametrize(
    ("request_line", "key", "content", "status"),
    [
        (("POST", "/"), "the-key", SAMPLE.read_bytes(), 200),
        (("POST", "/"), "another", SAMPLE.read_bytes(), 401),
        (("POST", "/"), "the-key", b"", 422),
        (("POST", "/"), "the-key", bytes(200_000), 413),
        (("POST", "/?top_k=0"), "the-key", SAMPLE.read_bytes(), 422),
        (("GET", "/"), "none", b"", 200),
        (("HEAD", "/model"), "none", b"", 200),
        (("GET", "/page/page.css"), "none", b"", 200),
        (("GET", "/nothing"), "none", b"", 404),
        (("DELETE", "/"), "none", b"", 405),
    ],
)
def test_page_of_a_named_origin_may_read_every_response(
    sharing: Server, request_line: tuple[str, str], key: str, content: bytes, status: int
) -> None:
    given = {"authorization": f"Bearer {key}", "content-type": "image/jpeg"}

    def send(**origin: str) -> httpx.Response:
        return sharing.client.request(*request_line, content=content, headers={**given, **origin})

    response = send(origin=PAGE)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == PAGE
    assert listed(response, "access-control-expose-headers") == EXPOSED
    assert len(response.headers.get_list("vary")) == 1
    for unreadable in (send(origin=OTHER), send()):
        assert unreadable.status_code == status
        assert not cors_headers(unreadable)
        # A cache may not serve it to a page.
        assert listed(unreadable, "vary") == listed(response, "vary") >= {"Origin"}


def test_preflight_does_not_wait_and_the_refusal_of_a_full_queue_can_be_read(
    tmp_path: Path, sample: bytes
) -> None:
    """Given a blocked thread and a full queue."""
    headers = {"origin": PAGE, "content-type": "image/jpeg"}
    with (
        ThreadPoolExecutor(1) as clients,
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="2", CORS_ORIGINS=PAGE) as server,
    ):
        post = clients.submit(server.client.post, "/", files=[("file", sample)] * 3)
        server.gate.next()
        assert preflight(server.client, PAGE).status_code == 204
        refused = server.client.post("/", content=sample, headers=headers)
        assert refused.status_code == 503
        assert refused.headers["access-control-allow-origin"] == PAGE
        server.gate.open()
        assert post.result().status_code == 200


def test_page_may_read_an_internal_error(tmp_path: Path, sample: bytes) -> None:
    (tmp_path / "broken.py").write_text(
        "import classifier.classifier\n"
        "def fail(*_):\n    raise RuntimeError\n"
        "classifier.classifier.Classifier.classify = fail\n"
        "from main import app\n"
    )
    settings = {"PYTHONPATH": str(tmp_path), "CORS_ORIGINS": PAGE}
    with serving(tmp_path / "log", app="broken:app", **settings) as server:
        response = server.client.post("/", files={"file": sample}, headers={"origin": PAGE})
        assert response.status_code == 500
        assert response.headers["access-control-allow-origin"] == PAGE


def test_pages_of_all_origins_may_read_with_an_asterisk(tmp_path: Path) -> None:
    """No header depends on the origin, so caches may serve all of them the same response."""
    with serving(tmp_path / "log", CORS_ORIGINS="*") as server:
        assert preflight(server.client, OTHER).headers["access-control-allow-origin"] == "*"
        for headers in ({"origin": OTHER}, {"origin": "null"}, {}):
            response = server.client.get("/model", headers=headers)
            assert response.headers["access-control-allow-origin"] == "*"
            assert "Origin" not in listed(response, "vary")
        assert_problem(preflight(server.client, OTHER, "PUT"), 403, "PUT")
