"""Accessibility: narrow screens, dark mode, keyboard, screen readers.

The tests write a screenshot of every state to build/screenshots.
"""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.page import CAT, NOT_A_PHOTO, choose
from tests.support.browser import SCREENSHOTS, Open

WIDTHS = [360, 768, 1280]
NARROW = ViewportSize(width=360, height=740)
OUTLINE = "(element) => getComputedStyle(element).outlineStyle"


def empty(page: Page) -> None:
    expect(page.get_by_label("Choose photos")).to_be_attached()


def one(page: Page) -> None:
    choose(page, CAT)
    expect(page.locator(".timing")).to_have_count(1)


def several(page: Page) -> None:
    choose(page, CAT, CAT, NOT_A_PHOTO, CAT)
    expect(page.locator(".timing, .answer .problem")).to_have_count(4)


def problem(page: Page) -> None:
    choose(page, NOT_A_PHOTO)
    expect(page.locator(".answer .problem")).to_have_count(1)


def waiting(page: Page) -> None:
    page.route("**/", lambda route: None)
    choose(page, CAT)
    expect(page.locator("[aria-busy]")).to_have_count(1)


def unreachable(page: Page) -> None:
    page.context.set_offline(True)
    choose(page, CAT)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def command(page: Page) -> None:
    page.get_by_text("Use it from the command line").click()
    expect(page.get_by_label("Command")).to_be_visible()


STATES = [empty, one, several, problem, waiting, unreachable, command]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_every_state_is_accessible_at_every_width(
    open_page: Open, state: Callable[[Page], None], scheme: str
) -> None:
    """axe-core reports no violation, and the page does not scroll sideways."""
    page = open_page(color_scheme=scheme, reduced_motion="reduce", viewport=NARROW, has_touch=True)
    state(page)
    for width in WIDTHS:
        page.set_viewport_size(ViewportSize(width=width, height=740))
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SCREENSHOTS / f"{state.__name__}-{width}-{scheme}.png", full_page=True)
        assert_accessible(page)
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("state", [empty, several, problem], ids=lambda state: state.__name__)
def test_every_state_is_accessible_without_javascript(
    open_page: Open, state: Callable[[Page], None]
) -> None:
    """axe-core needs JavaScript: it checks the same HTML in a page whose script is blocked."""
    plain = open_page(java_script_enabled=False, viewport=NARROW)
    state(plain)
    plain.screenshot(path=SCREENSHOTS / f"{state.__name__}-without-javascript.png", full_page=True)
    page = open_page(viewport=NARROW)
    page.route("**/page.js", lambda route: route.abort())
    page.reload()
    state(page)
    expect(page.get_by_role("button", name="Classify")).to_be_visible()
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    width = page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_axe_reports_low_contrast(open_page: Open) -> None:
    """The check can fail."""
    page = open_page()
    page.locator("h1").evaluate("(heading) => { heading.style.color = '#ddd'; }")
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == [
        "color-contrast"
    ]


def test_page_follows_the_colour_scheme(open_page: Open) -> None:
    shades = []
    for scheme in ("dark", "light"):
        page = open_page(color_scheme=scheme)
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades.append(sum(int(channel) for channel in color.strip("rgb()").split(",")) / 3)
    assert shades[0] < 40
    assert shades[1] > 220


def test_page_works_with_the_keyboard_alone(open_page: Open) -> None:
    """Every control can be reached with Tab, shows its focus, and works."""
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose photos")).to_be_focused()
    assert page.locator(".drop").evaluate(OUTLINE) == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    assert chooser.value.is_multiple()
    chooser.value.set_files(CAT)
    expect(page.locator(".timing")).to_have_count(1)
    page.keyboard.press("Tab")
    cat = page.get_by_role("button", name="the cat")
    expect(cat).to_be_focused()
    assert cat.evaluate(OUTLINE) == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(".timing")).to_have_count(2)
    expect(cat).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="the coffee")).to_be_focused()
    for photo in range(2):
        page.keyboard.press("Tab")
        switch = page.get_by_label("Show where the model looked").nth(photo)
        expect(switch).to_be_focused()
        assert switch.evaluate(OUTLINE) != "none"
        page.keyboard.press("Space")
        expect(page.locator("canvas")).to_have_count(photo + 1)
    page.keyboard.press("Tab")
    summary = page.locator("summary")
    expect(summary).to_be_focused()
    assert summary.evaluate(OUTLINE) != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_label("Command")).to_be_visible()


def test_result_scrolls_into_view(open_page: Open) -> None:
    """Given a small screen and a sample, the last class of the result is visible."""
    page = open_page(viewport=NARROW, has_touch=True, reduced_motion="reduce")
    page.get_by_role("button", name="the cat").click()
    expect(page.get_by_role("listitem").last).to_be_in_viewport()
