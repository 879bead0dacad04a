"""The page behind a gateway: path prefix, size limit, errors."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from tests.browser.page import CAT, choose, expect_the_cat
from tests.support.browser import Open
from tests.support.gateway import Gateway
from tests.support.pictures import difference, encode, photo


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


def test_large_photo_is_shrunk_before_upload(open_page: Open, stage: Gateway) -> None:
    """Given a rotated phone photo of 12 megapixels, the upload is small, upright, and looks the
    same."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    upright = photo().resize((3000, 4000))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    content = encode(lying, "JPEG", quality=100, subsampling=0, exif=orientation.tobytes())
    assert len(content) > 4_000_000
    page = open_page(f"{stage.url}/")
    expect(page.get_by_text("are shrunk in your browser")).to_be_visible()
    choose(page, FilePayload(name="phone.jpg", mimeType="image/jpeg", buffer=content))
    expect(page.get_by_role("listitem").first).to_contain_text("cat")
    [jpeg] = stage.files()
    assert len(jpeg) < 1_000_000
    with Image.open(BytesIO(jpeg)) as sent:
        assert sent.size == (866, 1155)
        expected = np.asarray(upright.resize(sent.size))
        assert difference(np.asarray(sent), expected) < 3


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
