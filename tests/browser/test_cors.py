"""A page of another origin that sends photos to the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.access_log import entries_of
from tests.support.browser import HANG_MS
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server, serving
from tests.support.threads import serving_in_thread
from tests.support.wait import wait_until

KEY = "the-key"

SEND = """async ([service, key]) => {
  const photo = await (await fetch("photo")).blob();
  const options = {
    method: "POST",
    body: photo,
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "image/jpeg" },
  };
  try {
    const response = await fetch(service, options);
    const id = response.headers.get("X-Request-ID");
    return { status: response.status, id, json: await response.json() };
  } catch (error) {
    return { error: error.name };
  }
}"""


@contextmanager
def front_end() -> Iterator[str]:
    """Serves an empty page and a photo. Yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_photo = self.path == "/photo"
            content = SAMPLE.read_bytes() if is_photo else b"<!doctype html><title>Shop</title>"
            self.send_response(200)
            self.send_header("content-type", "image/jpeg" if is_photo else "text/html")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving_in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def named() -> Iterator[str]:
    with front_end() as origin:
        yield origin


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory, named: str) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("sharing") / "log"
    with serving(log, API_KEY=KEY, CORS_ORIGINS=named) as server:
        yield server


def send(browser: Browser, origin: str, service: Server, key: str = KEY) -> Any:
    """What the script of a page of `origin` gets for a photo."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(HANG_MS)
    page.goto(f"{origin}/")
    received = page.evaluate(SEND, [f"{service.url}/", key])
    context.close()
    return received


def test_page_of_a_named_origin_gets_predictions(
    browser: Browser, named: str, sharing: Server
) -> None:
    received = send(browser, named, sharing)
    assert received["status"] == 200
    assert received["json"]["predictions"][0]["label"] == SAMPLE_LABEL
    assert received["id"]


def test_page_of_a_named_origin_can_read_a_problem(
    browser: Browser, named: str, sharing: Server
) -> None:
    received = send(browser, named, sharing, key="wrong")
    assert received["status"] == 401
    assert received["json"]["type"] == "/problems#unauthorized"


def test_page_of_another_origin_gets_nothing(
    browser: Browser, sharing: Server, server: Server
) -> None:
    """Given a service that names one other origin, and a service that names none."""
    with front_end() as another:
        for service in (sharing, server):
            assert send(browser, another, service) == {"error": "TypeError"}
    # The line is written after the response.
    wait_until(lambda: preflights(sharing)[-1:] == [403], "a preflight with 403 in the access log")


def preflights(service: Server) -> list[int]:
    """The statuses of the preflight requests in the access log."""
    return [entry["status"] for entry in entries_of(service) if entry["method"] == "OPTIONS"]
