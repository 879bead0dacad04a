"""Locust's own page, in a real browser: N, T and R are there, and a run starts from it."""

import re
import subprocess
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.browser import LAUNCH
from tests.support.locust import WAVES
from tests.support.ports import free_port
from tests.support.scripts import interrupt, session_of, start
from tests.support.stub import Stub
from tests.support.tools import CHROMIUM, needs

pytestmark = [
    pytest.mark.browser,
    needs(CHROMIUM),
]


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM.path(), args=LAUNCH)
        yield browser.new_page()
        browser.close()


@pytest.fixture
def address(stub: Stub) -> Iterator[str]:
    """Where Locust's page is."""
    port = free_port()
    process = start("-m", "locust", "-f", WAVES, "--web-host", "127.0.0.1", "--web-port", port,
                    "-H", f"{stub.url}/delay/0.1")  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield url
    finally:
        interrupt(process)
        process.communicate(timeout=30)
        gone_too = session_of(process)
        psutil.wait_procs(gone_too, timeout=5)
        assert session_of(process) == []


def wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Locust's page did not come up")


def test_two_runs_from_the_page(address: str, stub: Stub, page: Page) -> None:
    page.goto(address)
    page.get_by_text("Custom parameters").click()
    for name, value in {"N": "4", "T": "0.3", "R": "3"}.items():
        page.locator(f"input[name='{name}']").fill(value)
    page.get_by_role("button", name=re.compile("^start", re.IGNORECASE)).click()

    row = page.get_by_role("row", name=re.compile("POST"))
    expect(row.get_by_role("cell").nth(2)).to_have_text("12", timeout=20_000)
    assert len(stub.received) == 12
    first = min(each.at for each in stub.received)
    came = sorted(each.at - first for each in stub.received)
    assert came == pytest.approx([0.3 * wave for wave in range(3) for _ in range(4)], abs=0.15)

    stub.received.clear()
    page.get_by_role("button", name="New").click(timeout=20_000)
    page.get_by_role("button", name=re.compile("^start", re.IGNORECASE)).click()
    deadline = time.monotonic() + 20
    while len(stub.received) < 12 and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    expect(page.get_by_role("button", name="New")).to_be_visible(timeout=20_000)
    assert len(stub.received) == 12
