"""Ways to choose photos: file input, drop, paste, samples, camera."""

from base64 import b64encode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page import CAT, NOT_A_PHOTO, choose, drop, expect_the_cat
from tests.support.browser import Open
from tests.support.paths import SAMPLE
from tests.support.pictures import encode, photo


def test_chosen_photo_is_classified(page: Page) -> None:
    choose(page, CAT)
    expect_the_cat(page)
    expect(page.get_by_role("article")).to_have_count(1)


def test_same_photo_can_be_chosen_again(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    expect_the_cat(page)
    choose(page, CAT)
    expect(page.locator(".timing")).to_have_count(2)


def test_dropped_photo_is_classified(open_page: Open, sample: bytes) -> None:
    page = open_page()
    drop(page, "cat.jpg", b64encode(sample).decode())
    expect_the_cat(page)
    expect(page.get_by_role("heading", name="cat.jpg")).to_be_visible()


def test_dropped_text_gets_a_message(open_page: Open) -> None:
    page = open_page()
    drop(page, "", "words")
    expect(page.get_by_role("status")).to_contain_text("That was not a file.")


def test_dragging_highlights_the_page(open_page: Open) -> None:
    page = open_page()
    page.dispatch_event("h1", "dragover")
    expect(page.locator("body.dragging")).to_have_count(1)
    page.dispatch_event("html", "dragleave")
    expect(page.locator("body.dragging")).to_have_count(0)


def test_pasted_photo_is_classified(open_page: Open, sample: bytes) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    picture = b64encode(encode(photo(), "PNG")).decode()
    page.evaluate(
        """async (content) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const blob = new Blob([bytes], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        picture,
    )
    page.keyboard.press("Control+V")
    expect_the_cat(page)


@pytest.mark.parametrize(("name", "label"), [("cat", "cat"), ("coffee", "espresso")])
def test_sample_is_classified(open_page: Open, name: str, label: str) -> None:
    page = open_page()
    page.get_by_role("button", name=f"the {name}").click()
    expect(page.get_by_role("listitem").first).to_contain_text(label)
    expect(page.get_by_role("heading", name=f"{name}.jpg")).to_be_visible()


def test_phone_can_take_a_photo(open_page: Open) -> None:
    page = open_page(has_touch=True, is_mobile=True)
    camera = page.get_by_label("Take a photo")
    expect(camera).to_have_attribute("capture", "environment")
    expect(page.get_by_text("Take a photo")).to_be_visible()
    camera.set_input_files(SAMPLE)
    expect_the_cat(page)


def test_form_works_after_the_back_button(page: Page) -> None:
    """Given a result, a visit to another page, and a return to the form."""
    choose(page, CAT)
    expect_the_cat(page)
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("body")).to_contain_text("efficientnet")
    page.go_back()
    choose(page, NOT_A_PHOTO)
    expect(page.get_by_role("article").first).to_contain_text("Convert it to JPEG or PNG")
