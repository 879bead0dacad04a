"""The page of a service that has a key: the browser asks for it, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_page import browser, pytestmark  # noqa: F401 - the same browser
from tests.conftest import SAMPLE, Server, serving
from tests.pictures import SAMPLE_LABEL


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("locked") / "log", API_KEY="the-key") as server:
        yield server


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("password", ["the-key", "another"])
def test_the_key_is_the_password(
    browser: Browser,  # noqa: F811
    locked: Server,
    scripts: bool,
    password: str,
) -> None:
    context = browser.new_context(
        java_script_enabled=scripts,
        http_credentials={"username": "anybody", "password": password},
    )
    page = context.new_page()
    page.goto(f"{locked.url}/")
    page.get_by_label("Photo").set_input_files(SAMPLE)
    page.get_by_role("button", name="Classify").click()
    if password == "the-key":
        expect(page.get_by_role("listitem").first).to_contain_text(SAMPLE_LABEL)
    else:
        expect(page.get_by_role("alert")).to_contain_text("from those who have its key")
    context.close()
