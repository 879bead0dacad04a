"""Results, the command line, and the size of the page."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, Response, expect

from tests.browser.page import CAT, NOT_A_PHOTO, choose, expect_the_cat
from tests.support.browser import Open
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server

MAX_WEIGHT = 60_000

WIDTHS = "(all) => all.map((element) => element.getBoundingClientRect().width)"


def test_several_photos_get_a_result_each(page: Page) -> None:
    choose(page, CAT, CAT)
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.locator(".timing")).to_have_count(2)


def test_twenty_photos_get_results_in_order_in_a_grid(open_page: Open, sample: bytes) -> None:
    """Given twenty files, one of which is not a photo."""
    page = open_page(viewport={"width": 1280, "height": 800})
    files = [FilePayload(name=f"{n}.jpg", mimeType="image/jpeg", buffer=sample) for n in range(20)]
    files[7] = NOT_A_PHOTO
    choose(page, *files)
    expect(page.get_by_role("status")).to_have_text("19 photos classified, 1 with a problem.")
    articles = page.get_by_role("article")
    names = [f"{number}.jpg" for number in range(20)]
    names[7] = "notes.jpg"
    expect(articles.get_by_role("heading")).to_have_text(names)
    expect(page.locator(".timing")).to_have_count(19)
    expect(articles.nth(7)).to_contain_text("Convert it to JPEG or PNG")
    tops = articles.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
    assert tops[0] == tops[1] == tops[2] < tops[3]


def test_photo_is_shown_while_it_is_classified(open_page: Open) -> None:
    """Given a service that does not respond yet."""
    page = open_page()
    page.route("**/", lambda route: None)
    choose(page, CAT)
    expect(page.locator("article[aria-busy] img")).to_be_visible()
    assert page.locator("article img").evaluate(
        "async (img) => (await img.decode(), img.naturalWidth)"
    )
    expect(page.get_by_role("status")).to_have_text("Classifying …")
    page.unroute_all(behavior="ignoreErrors")


def test_classifying_does_not_reload_the_page(open_page: Open) -> None:
    page = open_page()
    page.evaluate("window.mark = 'still here'")
    choose(page, CAT)
    expect_the_cat(page)
    assert page.evaluate("window.mark") == "still here"


def test_result_is_announced(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    expect(page.get_by_role("status")).to_have_text(
        re.compile(rf"sample.jpg: {SAMPLE_LABEL} \d\d\.\d%")
    )


def test_bar_lengths_match_the_probabilities(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    rows = page.get_by_role("listitem")
    expect(rows).to_have_count(5)
    for row in rows.all():
        shown = float(row.locator(".probability").inner_text().strip("<%"))
        bar, filled = row.locator(".bar, .bar rect").evaluate_all(WIDTHS)
        assert 100 * filled / bar == pytest.approx(shown, abs=0.2)


def test_command_line_names_this_host(open_page: Open, page: Page) -> None:
    page.get_by_text("Use it from the command line").click()
    host = page.url.partition("#")[0]
    expect(page.get_by_label("Command")).to_have_text(f"curl --form file=@photo.jpg {host}")


def test_command_line_can_be_copied(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Use it from the command line").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"curl --form file=@photo.jpg {page.url}"
    )


def test_page_download_is_small(open_page: Open, server: Server) -> None:
    """The page and both samples together stay below MAX_WEIGHT bytes."""
    responses: list[Response] = []
    page = open_page("about:blank")
    page.on("response", lambda response: responses.append(response))  # noqa: PLW0108
    page.goto(f"{server.url}/")
    for name in ("cat", "coffee"):
        page.get_by_role("button", name=f"the {name}").click()
    expect(page.locator(".timing")).to_have_count(2)
    fetched = [response for response in responses if response.url.startswith("http")]
    assert {response.url.rpartition("/")[2] for response in fetched} >= {
        "",
        "page.js",
        "page.css",
        "cat.jpg",
    }
    # Responses from the browser's cache have a negative size.
    weight = sum(max(0, response.request.sizes()["responseBodySize"]) for response in fetched)
    assert 20_000 < weight <= MAX_WEIGHT
