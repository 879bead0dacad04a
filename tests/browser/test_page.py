"""The page in a real browser."""

import re
import shutil
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import SAMPLE, Server
from tests.pictures import SAMPLE_LABEL, encode, photo

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param)
    opened = context.new_page()
    opened.goto(f"{server.url}/")
    yield opened
    context.close()


def test_choose_submit_see(page: Page) -> None:
    page.get_by_label("Photo").set_input_files(SAMPLE)
    page.get_by_role("button", name="Classify").click()
    first = page.get_by_role("listitem").first
    expect(first).to_contain_text(SAMPLE_LABEL)
    expect(first).to_contain_text(re.compile(r"\d\d\.\d%"))


def test_several_photos(page: Page) -> None:
    page.get_by_label("Photo").set_input_files([SAMPLE, SAMPLE])
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("heading", name="Image 2 of 2")).to_be_visible()


def test_not_a_photo(page: Page) -> None:
    page.get_by_label("Photo").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"just text"}
    )
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("alert")).to_contain_text("Convert it to JPEG or PNG")


def test_no_reload_and_no_errors(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(f"{server.url}/")
    page.evaluate("window.mark = 'still here'")
    page.get_by_label("Photo").set_input_files(SAMPLE)
    expect(page.locator("#previews img")).to_have_count(1)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("listitem").first).to_contain_text(SAMPLE_LABEL)
    assert page.evaluate("window.mark") == "still here"
    assert messages == []
    page.close()


def test_a_large_photo_is_made_smaller_first(browser: Browser, server: Server) -> None:
    """Given a photo of a phone: 12 megapixels, more than Lambda takes, lying on its side."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    turned = photo().resize((4000, 3000)).transpose(Image.Transpose.ROTATE_90)
    content = encode(turned, "JPEG", quality=100, subsampling=0, exif=orientation.tobytes())
    assert len(content) > 4_000_000
    page = browser.new_page()
    page.goto(f"{server.url}/")
    page.get_by_label("Photo").set_input_files(
        {"name": "phone.jpg", "mimeType": "image/jpeg", "buffer": content}
    )
    with page.expect_response(lambda response: response.request.method == "POST") as answered:
        page.get_by_role("button", name="Classify").click()
    assert answered.value.status == 200
    assert answered.value.request.sizes()["requestBodySize"] < 1_000_000
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    page.close()
