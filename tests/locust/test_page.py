"""Locust's own page, in a real browser: it has N, T and R, starts runs, refuses wrong values."""

import re
import subprocess
from collections.abc import Iterator

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from local.common.paths import SAMPLE
from tests.support.browser import LAUNCH
from tests.support.locust import WAVES
from tests.support.ports import free_port
from tests.support.scripts import interrupt, session_of, start
from tests.support.stub import Stub
from tests.support.tools import CHROMIUM, needs
from tests.support.wait import HANG_SECONDS, wait_until

pytestmark = [
    pytest.mark.browser,
    needs(CHROMIUM),
]


HANG_MS = HANG_SECONDS * 1000


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM.path(), args=LAUNCH, timeout=HANG_MS
        )
        page = browser.new_page()
        page.set_default_timeout(HANG_MS)
        yield page
        browser.close()


@pytest.fixture
def address(stub: Stub) -> Iterator[str]:
    """Where Locust's page is. The server responds when twelve requests are in flight."""
    port = free_port()
    process = start("-m", "locust", "-f", WAVES, "--web-host", "127.0.0.1", "--web-port", port,
                    "-H", f"{stub.url}/together/12")  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: responds(url, process), "Locust's page")
        yield url
    finally:
        interrupt(process)
        process.communicate(timeout=HANG_SECONDS)
        psutil.wait_procs(session_of(process), timeout=HANG_SECONDS)
        assert session_of(process) == []


def responds(url: str, process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None, "Locust has ended"
    try:
        httpx.get(url, timeout=HANG_SECONDS)
    except httpx.TransportError:
        return False
    return True


def test_two_runs_from_the_page(address: str, stub: Stub, page: Page) -> None:
    page.goto(address)
    page.get_by_text("Custom parameters").click()
    for name, value in {"N": "4", "T": "0.3", "R": "3"}.items():
        page.locator(f"input[name='{name}']").fill(value)
    page.get_by_role("button", name=re.compile("^start", re.IGNORECASE)).click()

    row = page.get_by_role("row", name=re.compile("POST"))
    expect(row.get_by_role("cell").nth(2)).to_have_text("12", timeout=HANG_MS)
    assert len(stub.received) == 12

    stub.received.clear()
    page.get_by_role("button", name="New").click()
    page.get_by_role("button", name=re.compile("^start", re.IGNORECASE)).click()
    wait_until(lambda: len(stub.received) == 12, "the second run")
    expect(page.get_by_role("button", name="New")).to_be_visible(timeout=HANG_MS)
    assert len(stub.received) == 12


def test_wrong_values_are_refused_on_the_page(address: str, stub: Stub, page: Page) -> None:
    page.goto(address)
    page.get_by_text("Custom parameters").click()
    start = page.get_by_role("button", name=re.compile("^start", re.IGNORECASE))
    for name, wrong, right, said in (
        ("N", "0", "1", "N: '0' is not a whole number of 1 or more"),
        ("T", "-1", "1", "T: must be 0 or more; it is '-1'"),
        ("R", "ten", "1", "R: 'ten' is not a whole number of 1 or more"),
        ("requestTimeout", "inf", "1", "request_timeout: must be more than 0; it is 'inf'"),
        ("image", "no/such.jpg", str(SAMPLE), "image: 'no/such.jpg' does not exist."),
        ("host", "http://127.0.0.1:1", "", "http://127.0.0.1:1/ cannot be reached"),
    ):
        page.locator(f"input[name='{name}']").fill(wrong)
        start.click()
        expect(page.get_by_role("alert")).to_contain_text(said, timeout=HANG_MS)
        page.locator(f"input[name='{name}']").fill(right)
    assert stub.received == []
