"""What an answer tells a browser to forbid, who may POST, and what never gets out."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifier.server.middleware import SECURITY_HEADERS
from tests.support import raw
from tests.support.server import Server, serving
from tests.support.wait import wait_until

KEY = "a-key/of=some+length"


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


def test_pages_have_nothing_inline(client: httpx.Client) -> None:
    """Which their policy would block."""
    for path in ("/", "/docs"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)


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


def test_file_names_never_reach_the_page(client: httpx.Client, sample: bytes) -> None:
    evil = '"><script>alert(1)</script>.jpg'
    files = [("file", (evil, sample, "image/jpeg")), ("file", (evil, b"none", f"text/{evil}"))]
    page = client.post("/", files=files, headers={"accept": "text/html"})
    assert page.status_code == 415
    assert "alert(1)" not in page.text


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/%3Cscript%3E", "/'\"><img>"])
def test_paths_are_escaped_on_the_page(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers={"accept": "text/html"})
    assert page.status_code == 404
    shown = page.text.partition('id="results"')[2]
    assert "<script" not in shown
    assert "<img" not in shown


# The key


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("locked") / "log", API_KEY=KEY) as server:
        yield server


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer  {KEY}", basic(KEY)])
def test_who_has_the_key_may_post(locked: Server, header: str, sample: bytes) -> None:
    headers = {"authorization": header}
    answer = locked.client.post("/", files={"file": sample}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY, f"Token {KEY}",
     "Bearer ключ", basic("x"), basic(""), "Basic !!!", "Basic"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/uploads"])
def test_who_has_not_may_not(locked: Server, header: str | None, path: str, sample: bytes) -> None:
    headers = {} if header is None else {b"authorization": header.encode()}
    answer = locked.client.post(path, files={"file": sample}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer KEY" in answer.json()["detail"]
    assert KEY not in answer.text


def test_every_post_of_the_document_is_locked(locked: Server) -> None:
    paths = locked.client.get("/openapi.json").json()["paths"]
    posts = [path for path, methods in paths.items() if "post" in methods]
    assert posts
    for path in posts:
        assert locked.client.post(path).status_code == 401
        assert paths[path]["post"]["security"]


def test_a_browser_asks_for_the_key(locked: Server, sample: bytes) -> None:
    """The page is readable, and its form is answered with what makes a browser ask."""
    assert locked.client.get("/", headers={"accept": "text/html"}).status_code == 200
    page = locked.client.post("/", files={"file": sample}, headers={"accept": "text/html"})
    assert page.status_code == 401
    assert page.headers["www-authenticate"] == 'Basic realm="classifier"'
    assert "An API key is required" in page.text


def test_no_image_is_read_for_who_has_no_key(locked: Server) -> None:
    with raw.connection(locked.url) as stranger:
        stranger.sendall(raw.post("image/jpeg", "Content-Length: 1000000"))
        assert raw.status(raw.one_answer(stranger)) == 401


def test_the_key_is_not_in_the_log(locked: Server, sample: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": "with-the-key"}
    answer = locked.client.post(f"/?key={KEY}", files={"file": (KEY, sample)}, headers=headers)
    assert answer.status_code == 200
    assert line_of(locked, "with-the-key")["status"] == 200
    assert KEY not in locked.log.read_text()


# The log


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line of the log for this request, which is written after its answer."""

    def found() -> list[dict[str, Any]]:
        # Whatever is not a whole line of JSON is not of this log, or not yet complete.
        lines = [line for line in server.log.read_text().splitlines(keepends=True) if ends(line)]
        return [line for line in map(json.loads, lines) if line["request_id"] == request_id]

    def ends(line: str) -> bool:
        return line.startswith("{") and line.endswith("}\n")

    wait_until(found, f"a line for {request_id}")
    (line,) = found()
    return line


def test_a_line_for_each_request(server: Server, sample: bytes) -> None:
    files, headers = {"file": ("private-name.jpg", sample)}, {"x-request-id": "trace-1:a/b"}
    answer = server.client.post("/", files=files, headers=headers)
    made = server.client.get("/no%22thing%0A").headers["x-request-id"]
    posted, missed = line_of(server, "trace-1:a/b"), line_of(server, made)
    assert answer.headers["x-request-id"] == "trace-1:a/b"
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert (posted["method"], posted["path"]) == ("POST", "/")
    assert (posted["status"], posted["images"]) == (200, 1)
    assert len(sample) < posted["bytes_in"] < len(sample) + 1000
    timing = answer.headers["server-timing"]
    assert timing == f"decode;dur={posted['decode_ms']:.2f}, infer;dur={posted['infer_ms']:.2f}"
    assert posted["ms"] > posted["decode_ms"] + posted["infer_ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", posted["time"])
    assert missed["path"] == '/no"thing\n'
    assert (missed["status"], missed["bytes_in"]) == (404, 0)
    assert "images" not in missed
    log = server.log.read_text()
    assert "private-name" not in log
    assert "HTTP/1.1" not in log  # uvicorn's own lines


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'say "hi"', "Ünïcode", "<b>"])
def test_an_id_that_is_not_sane_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/healthz", headers={b"x-request-id": given.encode()})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
