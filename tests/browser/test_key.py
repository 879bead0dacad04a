"""The page of a service with an API key: the browser prompts, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.page import CAT, choose, expect_the_cat
from tests.support.browser import HANG_MS
from tests.support.server import Server, serving


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("protected") / "log", API_KEY="the-key") as server:
        yield server


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("password", ["the-key", "another"])
def test_key_is_accepted_as_the_password(
    browser: Browser, protected: Server, scripts: bool, password: str
) -> None:
    context = browser.new_context(
        java_script_enabled=scripts,
        http_credentials={"username": "anybody", "password": password},
    )
    page = context.new_page()
    page.set_default_timeout(HANG_MS)
    page.goto(f"{protected.url}/")
    choose(page, CAT)
    if password == "the-key":
        expect_the_cat(page)
    else:
        expect(page.locator(".problem")).to_contain_text("An API key is required")
    context.close()
