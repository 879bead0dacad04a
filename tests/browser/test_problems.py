"""Problems with a photo, the service or the network."""

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.page import CAT, NOT_A_PHOTO, choose, expect_the_cat
from tests.support.browser import Open
from tests.support.pictures import SAMPLE_LABEL, encode, photo

BREAK_OFF = """() => {
  window.whole = Response.prototype.text;
  Response.prototype.text = () => Promise.reject(new TypeError("network error"));
}"""


def test_file_that_is_not_a_photo_gets_a_problem(page: Page) -> None:
    choose(page, NOT_A_PHOTO)
    expect(page.get_by_role("article")).to_contain_text("Convert it to JPEG or PNG")


def test_problem_is_shown_beside_its_photo(page: Page) -> None:
    choose(page, CAT, NOT_A_PHOTO)
    articles = page.get_by_role("article")
    expect(articles.nth(0)).to_contain_text(SAMPLE_LABEL)
    expect(articles.nth(0)).to_contain_text("Decoded in")
    expect(articles.nth(1)).to_contain_text("Convert it to JPEG or PNG")


def test_tiff_has_no_preview(open_page: Open) -> None:
    page = open_page()
    tiff = FilePayload(name="scan.tiff", mimeType="image/tiff", buffer=encode(photo(), "TIFF"))
    choose(page, tiff)
    expect_the_cat(page)
    expect(page.get_by_role("article")).to_contain_text("No preview")


def test_unreachable_service_can_be_retried(open_page: Open) -> None:
    page = open_page()
    page.context.set_offline(True)
    choose(page, CAT)
    expect(page.get_by_role("article")).to_contain_text("The service does not respond.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect_the_cat(page)


def test_response_that_breaks_off_can_be_retried(open_page: Open) -> None:
    page = open_page()
    page.evaluate(BREAK_OFF)
    choose(page, CAT, CAT, CAT)  # more than are sent at once
    articles = page.get_by_role("article")
    for number in range(3):
        expect(articles.nth(number)).to_contain_text("The service does not respond.")
    page.evaluate("() => { Response.prototype.text = window.whole; }")
    articles.first.get_by_role("button", name="Try again").click()
    expect_the_cat(page)


def test_sample_without_a_network_gets_a_message(open_page: Open) -> None:
    page = open_page()
    page.route("**/cat.jpg", lambda route: route.abort())
    page.get_by_role("button", name="the cat").click()
    expect(page.get_by_role("status")).to_contain_text("The sample cannot be fetched.")
