"""The page in a real browser: the ways in, the answers, and what can go wrong."""

import re
from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Response, expect

from tests.support.browser import Open
from tests.support.gateway import PREFIX, Gateway, gateway
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL, difference, encode, photo
from tests.support.server import Server, serving

CAT = FilePayload(name="sample.jpg", mimeType="image/jpeg", buffer=SAMPLE.read_bytes())
NOT_A_PHOTO = FilePayload(name="notes.jpg", mimeType="image/jpeg", buffer=b"just text")
MAX_WEIGHT = 60_000

# Files reach a page in an object that only the page can make.
TRANSFER = """([name, content]) => {
  const transfer = new DataTransfer();
  if (!name) transfer.setData("text/plain", content);
  else transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  return transfer;
}"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("stage") / "log"
    with serving(log, UVICORN_ROOT_PATH=PREFIX) as service, gateway(service.url) as made:
        yield made


def choose(page: Page, *files: FilePayload) -> None:
    """Choose files; without JavaScript, send the form."""
    page.get_by_label("Choose photos").set_input_files(files)
    send = page.get_by_role("button", name="Classify")
    if send.is_visible():
        send.click()


def expect_the_cat(page: Page) -> None:
    first = page.get_by_role("listitem").first
    expect(first).to_contain_text(SAMPLE_LABEL)
    expect(first).to_contain_text(re.compile(r"\d\d\.\d%"))
    expect(page.get_by_role("article").first).to_contain_text(
        re.compile(r"Decoded in \d+\.\d\sms, classified in \d+\.\d\sms")
    )


def drop(page: Page, name: str, content: str) -> None:
    transfer = page.evaluate_handle(TRANSFER, [name, content])
    page.dispatch_event("h1", "drop", {"dataTransfer": transfer})


# The ways in


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, open_page: Open) -> Page:
    return open_page(java_script_enabled=request.param)


def test_choose(page: Page) -> None:
    choose(page, CAT)
    expect_the_cat(page)
    expect(page.get_by_role("article")).to_have_count(1)


def test_choose_the_same_again(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    expect_the_cat(page)
    choose(page, CAT)
    expect(page.locator(".timing")).to_have_count(2)


def test_drop(open_page: Open, sample: bytes) -> None:
    page = open_page()
    drop(page, "cat.jpg", b64encode(sample).decode())
    expect_the_cat(page)
    expect(page.get_by_role("heading", name="cat.jpg")).to_be_visible()


def test_drop_what_is_no_file(open_page: Open) -> None:
    page = open_page()
    drop(page, "", "words")
    expect(page.get_by_role("status")).to_contain_text("That was not a file.")


def test_dragging_marks_the_place(open_page: Open) -> None:
    page = open_page()
    page.dispatch_event("h1", "dragover")
    expect(page.locator("body.dragging")).to_have_count(1)
    page.dispatch_event("html", "dragleave")
    expect(page.locator("body.dragging")).to_have_count(0)


def test_paste(open_page: Open, sample: bytes) -> None:
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
def test_a_sample(open_page: Open, name: str, label: str) -> None:
    page = open_page()
    page.get_by_role("button", name=f"the {name}").click()
    expect(page.get_by_role("listitem").first).to_contain_text(label)
    expect(page.get_by_role("heading", name=f"{name}.jpg")).to_be_visible()


def test_a_phone_can_take_a_photo(open_page: Open) -> None:
    page = open_page(has_touch=True, is_mobile=True)
    camera = page.get_by_label("Take a photo")
    expect(camera).to_have_attribute("capture", "environment")
    expect(page.get_by_text("Take a photo")).to_be_visible()
    camera.set_input_files(SAMPLE)
    expect_the_cat(page)


# The answers


def test_several_photos(page: Page) -> None:
    choose(page, CAT, CAT)
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.locator(".timing")).to_have_count(2)


def test_twenty_photos(open_page: Open, sample: bytes) -> None:
    """Given twenty photos, among them one that is none, when they are chosen, then each has its
    answer, in the order in which they were chosen, in a grid."""
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


def test_each_photo_is_shown_at_once(open_page: Open) -> None:
    """Given a service that takes its time, when a photo is chosen, then it is seen."""
    page = open_page()
    page.route("**/", lambda route: None)
    choose(page, CAT)
    expect(page.locator("article[aria-busy] img")).to_be_visible()
    assert page.locator("article img").evaluate(
        "async (img) => (await img.decode(), img.naturalWidth)"
    )
    expect(page.get_by_role("status")).to_have_text("Classifying …")
    page.unroute_all(behavior="ignoreErrors")


def test_no_reload(open_page: Open) -> None:
    page = open_page()
    page.evaluate("window.mark = 'still here'")
    choose(page, CAT)
    expect_the_cat(page)
    assert page.evaluate("window.mark") == "still here"


def test_the_answer_is_announced(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    expect(page.get_by_role("status")).to_have_text(
        re.compile(rf"sample.jpg: {SAMPLE_LABEL} \d\d\.\d%")
    )


def test_the_bars_are_as_long_as_they_are_probable(open_page: Open) -> None:
    page = open_page()
    choose(page, CAT)
    rows = page.get_by_role("listitem")
    expect(rows).to_have_count(5)
    for row in rows.all():
        shown = float(row.locator(".probability").inner_text().strip("<%"))
        bar, filled = row.locator(".bar").bounding_box(), row.locator("rect").bounding_box()
        assert bar
        assert filled
        assert 100 * filled["width"] / bar["width"] == pytest.approx(shown, abs=0.2)


def test_the_command_line_is_of_this_host(open_page: Open, page: Page) -> None:
    page.get_by_text("Use it from the command line").click()
    host = page.url.partition("#")[0]
    expect(page.get_by_label("Command")).to_have_text(f"curl --form file=@photo.jpg {host}")


def test_the_command_line_is_copied(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Use it from the command line").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"curl --form file=@photo.jpg {page.url}"
    )


def test_the_page_is_light(open_page: Open, server: Server) -> None:
    """Given the page, when both samples are tried, then all that was loaded is a small download."""
    responses: list[Response] = []
    page = open_page("about:blank")
    page.on("response", lambda response: responses.append(response))  # noqa: PLW0108
    page.goto(f"{server.url}/")
    for name in ("cat", "coffee"):
        page.get_by_role("button", name=f"the {name}").click()
    expect(page.locator(".timing")).to_have_count(2)
    fetched = [each for each in responses if each.url.startswith("http")]
    assert {each.url.rpartition("/")[2] for each in fetched} >= {
        "",
        "page.js",
        "page.css",
        "cat.jpg",
    }
    # What comes from the browser's cache has a size below 0.
    weight = sum(max(0, each.request.sizes()["responseBodySize"]) for each in fetched)
    assert 20_000 < weight <= MAX_WEIGHT


# What can go wrong


def test_not_a_photo(page: Page) -> None:
    choose(page, NOT_A_PHOTO)
    expect(page.get_by_role("article")).to_contain_text("Convert it to JPEG or PNG")


def test_the_problem_stands_beside_its_photo(page: Page) -> None:
    choose(page, CAT, NOT_A_PHOTO)
    articles = page.get_by_role("article")
    expect(articles.nth(0)).to_contain_text(SAMPLE_LABEL)
    expect(articles.nth(0)).to_contain_text("Decoded in")
    expect(articles.nth(1)).to_contain_text("Convert it to JPEG or PNG")


def test_what_no_browser_shows_has_no_preview(open_page: Open) -> None:
    page = open_page()
    tiff = FilePayload(name="scan.tiff", mimeType="image/tiff", buffer=encode(photo(), "TIFF"))
    choose(page, tiff)
    expect_the_cat(page)
    expect(page.get_by_role("article")).to_contain_text("No preview")


def test_try_again_once_the_service_answers(open_page: Open) -> None:
    page = open_page()
    page.context.set_offline(True)
    choose(page, CAT)
    expect(page.get_by_role("article")).to_contain_text("The service does not answer.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect_the_cat(page)


@pytest.mark.parametrize(
    ("status", "message"),
    [(413, "too large for the service"), (429, "is busy"), (500, "(status 500)"), (503, "is busy")],
)
def test_a_gateway_in_the_way(open_page: Open, status: int, message: str) -> None:
    """Given a gateway that answers in the service's place, its words are not what is shown."""
    page = open_page()
    page.route("**/", lambda route: route.fulfill(status=status, json={"message": "Throttled"}))
    choose(page, CAT)
    expect(page.get_by_role("article")).to_contain_text(message)
    expect(page.get_by_role("article")).not_to_contain_text("Throttled")


def test_a_sample_without_a_network(open_page: Open) -> None:
    page = open_page()
    page.route("**/cat.jpg", lambda route: route.abort())
    page.get_by_role("button", name="the cat").click()
    expect(page.get_by_role("status")).to_contain_text("The sample cannot be fetched.")


def test_a_large_photo_is_made_smaller_first(open_page: Open, stage: Gateway) -> None:
    """Given a photo of a phone, 12 megapixels that lie on their side, when it is chosen, then what
    is sent is small, stands upright, and shows the same."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    upright = photo().resize((3000, 4000))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    content = encode(lying, "JPEG", quality=100, subsampling=0, exif=orientation.tobytes())
    assert len(content) > 4_000_000
    stage.bodies.clear()
    page = open_page(f"{stage.url}/")
    expect(page.get_by_text("are made smaller in your browser")).to_be_visible()
    choose(page, FilePayload(name="phone.jpg", mimeType="image/jpeg", buffer=content))
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    [(content_type, body)] = stage.bodies
    assert len(body) < 1_000_000
    form = message_from_bytes(f"Content-Type: {content_type}\n\n".encode() + body)
    [part] = [each for each in form.walk() if not each.is_multipart()]
    jpeg = part.get_payload(decode=True)
    assert isinstance(jpeg, bytes)
    with Image.open(BytesIO(jpeg)) as sent:
        assert sent.size == (768, 1024)
        expected = np.asarray(upright.resize(sent.size))
        assert difference(np.asarray(sent), expected) < 3


def test_a_large_webp_is_made_smaller_whatever_its_bytes(open_page: Open, stage: Gateway) -> None:
    """Given 12 megapixels, of which the service by itself would take a quarter."""
    content = encode(photo().resize((4000, 3000)), "WEBP", quality=50)
    assert len(content) < 4_000_000
    stage.bodies.clear()
    page = open_page(f"{stage.url}/")
    choose(page, FilePayload(name="large.webp", mimeType="image/webp", buffer=content))
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    [(_, body)] = stage.bodies
    assert b"\xff\xd8\xff" in body


# Where it stands


@pytest.mark.parametrize("script", [True, False])
def test_behind_a_path(open_page: Open, stage: Gateway, script: bool) -> None:
    """Given a stage in front of the service, the page, its parts and its form lead back to it."""
    page = open_page(f"{stage.url}/", java_script_enabled=script)
    choose(page, CAT)
    expect_the_cat(page)
    assert page.url.partition("#")[0] == f"{stage.url}/"
    expect(page.get_by_label("Command")).to_contain_text(f"{stage.url}/")
    if script:
        page.get_by_role("button", name="the coffee").click()
        expect(page.get_by_role("listitem").first).to_contain_text("espresso")
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("body")).to_contain_text("efficientnet")


def test_the_back_button(page: Page) -> None:
    """Given an answer, when another page is seen and left again, then the form works as before."""
    choose(page, CAT)
    expect_the_cat(page)
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("body")).to_contain_text("efficientnet")
    page.go_back()
    choose(page, NOT_A_PHOTO)
    expect(page.get_by_role("article").first).to_contain_text("Convert it to JPEG or PNG")
