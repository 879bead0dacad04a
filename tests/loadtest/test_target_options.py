"""Options of the target: headers, keys, certificates."""

import base64
from pathlib import Path

import pytest

from local.common.cli import UsageError
from local.loadtest.payload import Payload
from local.loadtest.target import parse_url, post_request
from local.loadtest.target_options import API_KEY, read_headers, tls_context


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(API_KEY, raising=False)


def test_headers_are_read() -> None:
    assert read_headers(["X-A: b: c", "x-empty:"], None) == {"X-A": "b: c", "x-empty": ""}


def test_api_key_is_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_headers([], "k3y") == {"Authorization": "Bearer k3y"}
    monkeypatch.setenv(API_KEY, "other")
    assert read_headers([], None) == {"Authorization": "Bearer other"}
    assert read_headers([], "k3y") == {"Authorization": "Bearer k3y"}
    assert read_headers(["authorization: Basic x"], None) == {"authorization": "Basic x"}


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        (["X-A"], None, "--header 'X-A' is not a header. Use --header 'Name: value'."),
        (["X A: b"], None, "is not a header"),
        (["X-A: b\r\nX-B: c"], None, "is not a header"),
        (["X-A: a", "x-a: b"], None, "--header sets x-a more than once."),
        (["Content-Length: 5"], None, "--header cannot set Content-Length: it follows from"),
        (["connection: close"], None, "--header cannot set connection: use --keep-alive"),
        (["Authorization: x"], "k", "--api-key sets Authorization; leave out"),
        ([], "a b", "The API key (--api-key) must be printable ASCII without spaces."),
        ([], "", "The API key (--api-key) must be"),
    ],
)
def test_invalid_headers_are_refused(lines: list[str], key: str | None, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_headers(lines, key)
    assert message in str(refused.value)


def test_given_headers_replace_those_of_the_client() -> None:
    body = Payload(b"x", "image/png")
    given = {"accept": "text/html", "X-A": "b"}
    head = post_request(parse_url("http://h:1/p?q=1"), body, headers=given).split(b"\r\n\r\n")[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /p?q=1 HTTP/1.1"
    assert [line for line in lines if line.lower().startswith("accept:")] == ["accept: text/html"]
    assert {"X-A: b", "Host: h:1", "Content-Length: 1", "Connection: close"} <= set(lines)


@pytest.mark.parametrize(
    ("user", "credentials"),
    [
        ("me@", b"me:"),
        ("me:@", b"me:"),
        ("me%40home:a%3Ab@", b"me@home:a:b"),
        ("me:a@b@", b"me:a@b"),
        ("me:%E9@", b"me:\xe9"),
    ],
)
def test_credentials_of_the_url_are_sent(user: str, credentials: bytes) -> None:
    lines = post_request(parse_url(f"http://{user}h/"), Payload(b"", "image/png")).splitlines()
    assert b"Authorization: Basic " + base64.b64encode(credentials) in lines
    assert b"Host: h" in lines


@pytest.mark.parametrize(
    ("url", "start", "host"),
    [
        (
            "http://h/é/%C3%A9/a%2fb?x=é&y=%20&z=[1]",
            "/%C3%A9/%C3%A9/a%2fb?x=%C3%A9&y=%20&z=[1]",
            "h",
        ),
        ("http://Bücher.example:8000/", "/", "xn--bcher-kva.example:8000"),
        ("http://e\u0301.example/", "/", "xn--9ca.example"),
        ("http://me:é@日本.example", "/", "xn--wgv71a.example"),
        ("http://[::1]:8000/100%", "/100%", "[::1]:8000"),
    ],
)
def test_urls_are_sent_in_ascii(url: str, start: str, host: str) -> None:
    head = post_request(parse_url(url), Payload(b"", "image/png"))
    lines = head.decode("ascii").split("\r\n")
    assert lines[0] == f"POST {start} HTTP/1.1"
    assert f"Host: {host}" in lines


@pytest.mark.parametrize("name", ["é" * 64, "é..example", "straße.example"])
def test_host_names_that_cannot_be_encoded_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"^The host name '{name}' cannot be encoded"):
        parse_url(f"http://{name}/")


def test_unusable_certificates_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(UsageError, match="cannot be used: no certificates in PEM format"):
        tls_context(wrong, insecure=False)
    with pytest.raises(UsageError, match="cannot be used: No such file"):
        tls_context(tmp_path / "missing.pem", insecure=False)
    with pytest.raises(UsageError, match="--insecure verifies nothing; leave out --cacert"):
        tls_context(wrong, insecure=True)
    assert tls_context(None, insecure=False) is None
