"""The switch of each result that shows where the model looked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.page import CAT, choose, expect_the_cat
from tests.support.browser import Open
from tests.support.explaining import explaining_model, unexplaining_model
from tests.support.pictures import SAMPLE_LABEL, encode, photo
from tests.support.server import Server, serving

SWITCH = "Show where the model looked"

COLOURED = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const at = (x, y) => Array.from(data.slice(4 * (y * width + x), 4 * (y * width + x) + 4));
  let opaque = 0;
  for (let index = 3; index < data.length; index += 4) opaque = Math.max(opaque, data[index]);
  return { size: [width, height], corner: at(1, 1), opaque };
}"""


NATURAL_SIZE = "(image) => [image.naturalWidth, image.naturalHeight]"

# The page makes a URL for the photo that it may shrink, then one for its preview.
LATE_PREVIEW = """() => {
  const { createObjectURL } = URL;
  let made = 0;
  URL.createObjectURL = (blob) =>
    (made += 1) === 2 ? new URL("preview.jpg", location).href : createObjectURL(blob);
}"""

FRAMES = """async () => {
  for (let frame = 0; frame < 20; frame += 1) await new Promise(requestAnimationFrame);
}"""


def assert_map_covers_photo(part: Locator) -> None:
    """Both boxes are of one moment: between two, the page may scroll, or another photo load."""
    photo_box, map_box = part.locator("figure img, figure canvas").evaluate_all(
        "(both) => both.map((element) => element.getBoundingClientRect().toJSON())"
    )
    assert photo_box["width"] > 0
    assert map_box == pytest.approx(photo_box, abs=0.1)


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("explaining")
    with serving(folder / "log", MODEL_DIR=str(explaining_model(folder))) as server:
        yield server


@pytest.fixture
def page(open_page: Open, explaining: Server) -> Page:
    return open_page(f"{explaining.url}/")


def test_switch_lays_the_map_over_the_photo(page: Page) -> None:
    choose(page, CAT)
    expect_the_cat(page)
    name = re.compile(f"Where the model looked for {SAMPLE_LABEL}", re.IGNORECASE)
    shown = page.get_by_role("img", name=name)
    expect(shown).to_have_count(0)
    page.get_by_label(SWITCH).check()
    expect(shown).to_be_visible()
    found = shown.evaluate(COLOURED)
    image = page.locator("figure img")
    width, height = image.evaluate(NATURAL_SIZE)
    assert found["size"][0] / found["size"][1] == pytest.approx(width / height, rel=0.01)
    assert found["corner"] == [0, 0, 0, pytest.approx(115, abs=1)]  # the model did not get it
    assert found["opaque"] > 150
    assert_map_covers_photo(page.get_by_role("article"))


def test_switch_hides_the_map_and_asks_once(page: Page) -> None:
    asked = []
    page.on("request", lambda request: asked.append("explain=1" in request.url))
    choose(page, CAT)
    switch, shown = page.get_by_label(SWITCH), page.locator("canvas")
    switch.check()
    expect(shown).to_be_visible()
    switch.uncheck()
    expect(shown).to_be_hidden()
    switch.check()
    expect(shown).to_be_visible()
    assert asked.count(True) == 1


def test_map_waits_for_the_preview(page: Page) -> None:
    """Given a preview that has not loaded when the map arrives: the map gets its size."""
    previews: list[Route] = []
    page.route("**/preview.jpg", lambda route: previews.append(route))  # noqa: PLW0108
    page.evaluate(LATE_PREVIEW)
    with page.expect_request("**/preview.jpg"):
        choose(page, CAT)
    with page.expect_response("**/?explain=1*"):
        page.get_by_label(SWITCH).check()
    page.evaluate(FRAMES)  # enough to draw the map
    previews[0].fulfill(body=CAT["buffer"], content_type="image/jpeg")
    shown = page.locator("canvas")
    expect(shown).to_be_visible()
    width, height = page.locator("figure img").evaluate(NATURAL_SIZE)
    assert width > 1
    assert shown.evaluate(COLOURED)["size"] == [width, height]


@pytest.mark.parametrize("width", [1000, 360])
def test_each_photo_has_its_map_at_its_place(
    open_page: Open, explaining: Server, width: int
) -> None:
    """Given photos that are wide, high and of another format, on a screen and a telephone."""
    page = open_page(f"{explaining.url}/", viewport={"width": width, "height": 900})
    coffee = photo("coffee.png")
    sizes = {"wide.webp": (600, 200), "high.png": (200, 500), "small.gif": (90, 90)}
    files = [
        FilePayload(
            name=name,
            mimeType="image/png",
            buffer=encode(coffee.resize(size), name.rpartition(".")[2].upper()),
        )
        for name, size in sizes.items()
    ]
    choose(page, *files)
    switches = page.get_by_label(SWITCH)
    expect(switches).to_have_count(3)
    for number in range(3):
        switches.nth(number).check()
        article = page.get_by_role("article").nth(number)
        shown = article.locator("canvas")
        expect(shown).to_be_visible()
        assert_map_covers_photo(article)
        drawn = shown.evaluate(COLOURED)["size"]
        assert tuple(drawn) == list(sizes.values())[number]


def test_switch_goes_off_if_the_service_fails(page: Page) -> None:
    choose(page, CAT)
    switch = page.get_by_label(SWITCH)
    page.route("**/?explain=1*", lambda route: route.fulfill(status=503))
    switch.click()
    expect(page.get_by_role("status")).to_have_text("The service is busy. Try again in a moment.")
    expect(switch).not_to_be_checked()
    # then it works as soon as the service does
    page.unroute_all()
    switch.check()
    expect(page.locator("canvas")).to_be_visible()


def test_photo_without_preview_has_no_switch(page: Page) -> None:
    """Given a format that the service reads and the browser does not."""
    scan = encode(photo("coffee.png"), "TIFF")
    choose(page, FilePayload(name="scan.tif", mimeType="image/tiff", buffer=scan))
    expect(page.locator(".timing")).to_have_count(1)
    expect(page.get_by_text("No preview")).to_be_visible()
    expect(page.get_by_label(SWITCH)).to_be_hidden()


def test_page_without_javascript_has_no_switch(open_page: Open, explaining: Server) -> None:
    page = open_page(f"{explaining.url}/", java_script_enabled=False)
    choose(page, CAT)
    expect_the_cat(page)
    expect(page.get_by_label(SWITCH)).to_be_hidden()


def test_model_without_a_map_has_no_switch(
    open_page: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unexplaining")
    with serving(folder / "log", MODEL_DIR=str(unexplaining_model(folder))) as server:
        page = open_page(f"{server.url}/")
        choose(page, CAT)
        expect_the_cat(page)
        expect(page.get_by_label(SWITCH)).to_have_count(0)
