"""The page in a real browser: choosing photos, results, problems."""

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

# Only the page can make the object with dropped files.
TRANSFER = """([name, content]) => {
  const transfer = new DataTransfer();
  if (!name) transfer.setData("text/plain", content);
  else transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  return transfer;
}"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("stage") / "log"
    with serving(log, UVICORN_ROOT_PATH=PREFIX) as service, gateway(service.url) as running:
        yield running


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


# Choosing photos


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, open_page: Open) -> Page:
    return open_page(java_script_enabled=request.param)


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


# Results


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
        bar, filled = row.locator(".bar").bounding_box(), row.locator("rect").bounding_box()
        assert bar
        assert filled
        assert 100 * filled["width"] / bar["width"] == pytest.approx(shown, abs=0.2)


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


# Problems


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


@pytest.mark.parametrize(
    ("status", "message"),
    [(413, "too large for the service"), (429, "is busy"), (500, "(status 500)"), (503, "is busy")],
)
def test_gateway_errors_get_a_message_of_the_page(
    open_page: Open, status: int, message: str
) -> None:
    """The page does not show the body of a gateway's error."""
    page = open_page()
    page.route("**/", lambda route: route.fulfill(status=status, json={"message": "Throttled"}))
    choose(page, CAT)
    expect(page.get_by_role("article")).to_contain_text(message)
    expect(page.get_by_role("article")).not_to_contain_text("Throttled")


def test_sample_without_a_network_gets_a_message(open_page: Open) -> None:
    page = open_page()
    page.route("**/cat.jpg", lambda route: route.abort())
    page.get_by_role("button", name="the cat").click()
    expect(page.get_by_role("status")).to_contain_text("The sample cannot be fetched.")


def test_large_photo_is_shrunk_before_upload(open_page: Open, stage: Gateway) -> None:
    """Given a rotated phone photo of 12 megapixels, the upload is small, upright, and looks the
    same."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    upright = photo().resize((3000, 4000))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    content = encode(lying, "JPEG", quality=100, subsampling=0, exif=orientation.tobytes())
    assert len(content) > 4_000_000
    stage.bodies.clear()
    page = open_page(f"{stage.url}/")
    expect(page.get_by_text("are shrunk in your browser")).to_be_visible()
    choose(page, FilePayload(name="phone.jpg", mimeType="image/jpeg", buffer=content))
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    [(content_type, body)] = stage.bodies
    assert len(body) < 1_000_000
    form = message_from_bytes(f"Content-Type: {content_type}\n\n".encode() + body)
    [part] = [part for part in form.walk() if not part.is_multipart()]
    jpeg = part.get_payload(decode=True)
    assert isinstance(jpeg, bytes)
    with Image.open(BytesIO(jpeg)) as sent:
        assert sent.size == (768, 1024)
        expected = np.asarray(upright.resize(sent.size))
        assert difference(np.asarray(sent), expected) < 3


def test_webp_with_many_pixels_is_shrunk_before_upload(open_page: Open, stage: Gateway) -> None:
    """Given 12 megapixels, four times the service's memory limit for WebP."""
    content = encode(photo().resize((4000, 3000)), "WEBP", quality=50)
    assert len(content) < 4_000_000
    stage.bodies.clear()
    page = open_page(f"{stage.url}/")
    choose(page, FilePayload(name="large.webp", mimeType="image/webp", buffer=content))
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    [(_, body)] = stage.bodies
    assert b"\xff\xd8\xff" in body


# Navigation


@pytest.mark.parametrize("script", [True, False])
def test_page_works_behind_a_path_prefix(open_page: Open, stage: Gateway, script: bool) -> None:
    """Page, assets, form and links work behind the stage of a gateway."""
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


def test_form_works_after_the_back_button(page: Page) -> None:
    """Given a result, a visit to another page, and a return to the form."""
    choose(page, CAT)
    expect_the_cat(page)
    page.get_by_role("link", name="Model card").click()
    expect(page.locator("body")).to_contain_text("efficientnet")
    page.go_back()
    choose(page, NOT_A_PHOTO)
    expect(page.get_by_role("article").first).to_contain_text("Convert it to JPEG or PNG")
