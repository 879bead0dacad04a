"""The API key: which requests require it, and that it is never logged."""

import base64
from collections.abc import Iterator

import pytest

from tests.support import raw
from tests.support.access_log import line_of
from tests.support.server import Server, serving

KEY = "a-key/of=some+length"


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("protected") / "log", API_KEY=KEY) as server:
        yield server


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer  {KEY}", basic(KEY)])
def test_valid_key_gets_200(protected: Server, header: str, sample: bytes) -> None:
    headers = {"authorization": header}
    response = protected.client.post("/", files={"file": sample}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY, f"Token {KEY}",
     "Bearer ключ", basic("x"), basic(""), "Basic !!!", "Basic ключ", "Basic"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/uploads"])
def test_missing_or_wrong_key_gets_401(
    protected: Server, header: str | None, path: str, sample: bytes
) -> None:
    headers = {} if header is None else {b"authorization": header.encode()}
    response = protected.client.post(path, files={"file": sample}, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer KEY" in response.json()["detail"]
    assert KEY not in response.text


def test_every_post_requires_the_key(protected: Server) -> None:
    paths = protected.client.get("/openapi.json").json()["paths"]
    posts = [path for path, methods in paths.items() if "post" in methods]
    assert posts
    for path in posts:
        assert protected.client.post(path).status_code == 401
        assert paths[path]["post"]["security"]


def test_browser_gets_a_basic_auth_challenge(protected: Server, sample: bytes) -> None:
    """The page is public; its form gets the challenge for which browsers prompt."""
    assert protected.client.get("/", headers={"accept": "text/html"}).status_code == 200
    page = protected.client.post("/", files={"file": sample}, headers={"accept": "text/html"})
    assert page.status_code == 401
    assert page.headers["www-authenticate"] == 'Basic realm="classifier"'
    assert "An API key is required" in page.text


def test_program_that_names_html_gets_no_challenge_for_a_dialog(
    protected: Server, sample: bytes
) -> None:
    headers = {"accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
    refused = protected.client.post("/", files={"file": sample}, headers=headers)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"


def test_missing_key_gets_401_before_the_body_is_sent(protected: Server) -> None:
    with raw.connection(protected.url) as client:
        client.sendall(raw.post("image/jpeg", "Content-Length: 1000000"))
        assert raw.status(raw.one_response(client)) == 401


def test_key_is_not_logged(protected: Server, sample: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": "with-the-key"}
    response = protected.client.post(f"/?key={KEY}", files={"file": (KEY, sample)}, headers=headers)
    assert response.status_code == 200
    assert line_of(protected, "with-the-key")["status"] == 200
    assert KEY not in protected.log.read_text()
