"""Chromium, and pages that must have no errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.support.browser import HANG_MS, LAUNCH, Open
from tests.support.gateway import PREFIX, Gateway, gateway
from tests.support.server import Server, serving
from tests.support.tools import CHROMIUM, needs

expect.set_options(timeout=HANG_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(needs(CHROMIUM))


@pytest.fixture(scope="package")  # closed after these tests: others must not find its event loop
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM.path(), args=LAUNCH, timeout=HANG_MS
        )
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def running_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("stage") / "log"
    with serving(log, UVICORN_ROOT_PATH=PREFIX) as service, gateway(service.url) as running:
        yield running


@pytest.fixture
def stage(running_stage: Gateway) -> Gateway:
    """The service behind a gateway, which has received nothing yet."""
    running_stage.bodies.clear()
    return running_stage


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Open]:
    """Opens the page in a new context, with Playwright's options for contexts.

    At the end, no page may have had an error or violated its content security policy.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser logs error responses, and requests without a network.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def opened(url: str = f"{server.url}/", **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANG_MS)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, open_page: Open) -> Page:
    return open_page(java_script_enabled=request.param)
