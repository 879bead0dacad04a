"""Ordinary photos of every format and size: the page shrinks those that it should and can.

Large ones are slow to encode, so they are marked slow.
"""

from base64 import b64encode
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.page import choose, drop
from tests.support.browser import Open
from tests.support.gateway import MAX_BODY, Gateway
from tests.support.pictures import encode, encode_fast, photo
from tests.support.server import Server

TOLERANCE: Final = 2
"""Percent: the browser's resampling and its JPEG are not the service's"""

MAX_BYTES: Final = 4_000_000
"""Of a file that the page sends as it is, if the browser could shrink it"""

MAX_SHRUNK: Final = 500_000
"""Bytes of a photo of 1 megapixel, with the form around it"""

MP3, MP12, MP24, MP50, MP64, MP108, MP200 = (
    *((2000, 1500), (4032, 3024), (6000, 4000), (8192, 6144)),
    *((9248, 6936), (12000, 9000), (16320, 12240)),
)
SCREEN_4K, SCREEN_5K, SCREEN_6K, SCREEN_8K = (3840, 2160), (5120, 2880), (6016, 3384), (7680, 4320)

Size = tuple[int, int]
Maker = partial[bytes]
"""The first argument is the size."""


@cache
def coffee(size: Size, mode: str = "RGB") -> Image.Image:
    return photo("coffee.png").resize(size).convert(mode)


def jpeg(size: Size, **options: Any) -> bytes:
    return encode(coffee(size), "JPEG", **options)


def best_jpeg(size: Size, **options: Any) -> bytes:
    return jpeg(size, quality=100, subsampling=0, **options)


def png(size: Size, mode: str = "RGB") -> bytes:
    return encode(coffee(size, mode), "PNG", compress_level=1)


def noisy_png(size: Size) -> bytes:
    """With a camera's noise, which hardly compresses."""
    noise = np.random.default_rng(0).integers(0, 16, (size[1], size[0], 3), np.uint8)
    return encode(Image.fromarray(np.asarray(coffee(size)) ^ noise), "PNG", compress_level=1)


def webp(size: Size, mode: str = "RGB", **options: Any) -> bytes:
    return encode_fast(coffee(size, mode), "WEBP", **options)


def avif(size: Size) -> bytes:
    return encode_fast(coffee(size), "AVIF")


def tiff(size: Size) -> bytes:
    return encode(coffee(size), "TIFF")


def heic(size: Size) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    buffer = BytesIO()
    fast = {"preset": "ultrafast"}
    pillow_heif.from_pillow(coffee(size)).save(buffer, quality=50, enc_params=fast)
    return buffer.getvalue()


def cases(quick: dict[str, Maker], slow: dict[str, Maker]) -> list[Any]:
    return [pytest.param(maker, id=name) for name, maker in quick.items()] + [
        pytest.param(maker, id=name, marks=pytest.mark.slow) for name, maker in slow.items()
    ]


SHRUNK: Final = cases(
    {
        "JPEG of 12 megapixels and 7 MB": partial(best_jpeg, MP12),
        "JPEG of 50 megapixels and less than 4 MB": partial(jpeg, MP50, quality=50),
        "PNG of a 4K screen": partial(png, SCREEN_4K),
        "WebP of 12 megapixels": partial(webp, MP12, quality=50),
        "AVIF of 12 megapixels": partial(avif, MP12),
    },
    {
        "JPEG of 24 megapixels": partial(best_jpeg, MP24),
        "progressive JPEG of 24 megapixels": partial(best_jpeg, MP24, progressive=True),
        "JPEG of 64 megapixels": partial(best_jpeg, MP64),
        "progressive JPEG of 64 megapixels": partial(best_jpeg, MP64, progressive=True),
        "JPEG of 108 megapixels": partial(jpeg, MP108, quality=95),
        "progressive JPEG of 108 megapixels": partial(jpeg, MP108, progressive=True),
        "JPEG of 200 megapixels": partial(jpeg, MP200, quality=90),
        "progressive JPEG of 200 megapixels": partial(jpeg, MP200, progressive=True),
        "PNG of 24 megapixels and 30 MB": partial(noisy_png, MP24),
        "PNG of a 5K screen": partial(png, SCREEN_5K, "RGBA"),
        "PNG of a 6K screen": partial(png, SCREEN_6K),
        "PNG of an 8K screen": partial(png, SCREEN_8K, "RGBA"),
        "WebP with alpha of 12 megapixels": partial(webp, MP12, "RGBA", quality=50),
        "lossless WebP of 12 megapixels": partial(webp, MP12, lossless=True, quality=0),
        "WebP of 24 megapixels": partial(webp, MP24, quality=50),
        "AVIF of 24 megapixels": partial(avif, MP24),
    },
)

SENT_AS_THEY_ARE: Final = cases(
    {
        "JPEG of 12 megapixels and 1 MB": partial(jpeg, MP12, quality=80),
        "progressive JPEG of 12 megapixels and 1 MB": partial(
            jpeg, MP12, quality=80, progressive=True
        ),
        "PNG of 1 megapixel": partial(png, (1200, 800)),
        "WebP of 3 megapixels": partial(webp, MP3),
        "TIFF of 1 megapixel": partial(tiff, (1200, 800)),
        "HEIC of 3 megapixels": partial(heic, MP3),
    },
    {"HEIC of 12 megapixels": partial(heic, MP12), "HEIC of 24 megapixels": partial(heic, MP24)},
)

UNREADABLE: Final = cases(
    {"TIFF of 12 megapixels and 36 MB": partial(tiff, MP12)},
    {
        "TIFF of 24 megapixels and 72 MB": partial(tiff, MP24),
        "HEIC of 48 megapixels": partial(heic, (8064, 6048)),
    },
)
"""Chromium reads neither."""


@pytest.mark.parametrize("make", SHRUNK)
def test_large_photo_is_shrunk_and_keeps_its_class(
    open_page: Open, stage: Gateway, server: Server, tmp_path: Path, make: Maker
) -> None:
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, make())
    expected = probability(server, make.args[0])
    assert expect_espresso(page) == pytest.approx(expected, abs=TOLERANCE)
    [(_, body)] = stage.bodies
    assert len(body) < MAX_SHRUNK
    with Image.open(BytesIO(stage.files()[0])) as sent:
        assert sent.format == "JPEG"
        assert 900_000 < sent.width * sent.height < 1_100_000
        assert shown(page) == sent.size


@pytest.mark.parametrize("make", SENT_AS_THEY_ARE)
def test_small_photo_is_sent_as_it_is(
    open_page: Open, stage: Gateway, tmp_path: Path, make: Maker
) -> None:
    content = make()
    assert len(content) < MAX_BYTES
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, content)
    expect_espresso(page)
    assert stage.files() == [content]


@pytest.mark.parametrize("make", UNREADABLE)
def test_large_photo_that_the_browser_cannot_read_is_sent_as_it_is(
    open_page: Open, server: Server, tmp_path: Path, make: Maker
) -> None:
    page = open_page()
    choose_content(page, tmp_path, make())
    expect_espresso(page)
    expect(page.get_by_role("article")).to_contain_text("No preview")


def test_scanned_page_is_sent_as_it_is(open_page: Open, stage: Gateway, tmp_path: Path) -> None:
    """Given A4 at 300 dpi, compressed with G4."""
    scan = Image.new("1", (2480, 3508), 1)
    scan.paste(0, (300, 300, 2100, 1200))
    content = encode(scan, "TIFF", compression="group4")
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, content)
    expect(page.locator(".timing")).to_have_count(1)
    assert stage.files() == [content]


def test_photo_too_large_for_the_gateway_gets_advice(
    open_page: Open, stage: Gateway, tmp_path: Path
) -> None:
    """Given a TIFF that the browser cannot shrink."""
    content = tiff((1600, 1200))
    assert len(content) > MAX_BODY
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, content)
    problem = page.locator(".problem")
    expect(problem).to_contain_text("too large for the service")
    expect(problem).to_contain_text("Save it as a smaller JPEG")


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "PNG"])
def test_dropped_photo_without_a_type_is_shrunk(open_page: Open, stage: Gateway, kind: str) -> None:
    """Given a file of few bytes and many pixels, whose name says nothing."""
    grey = Image.linear_gradient("L").resize(MP12)
    content = encode_fast(grey.convert("RGB"), kind)
    assert len(content) < MAX_BYTES
    page = open_page(f"{stage.url}/")
    drop(page, "photo", b64encode(content).decode())
    expect(page.locator(".timing")).to_have_count(1)
    [sent] = stage.files()
    assert sent.startswith(b"\xff\xd8")


def test_transparency_is_laid_over_white(open_page: Open, stage: Gateway, tmp_path: Path) -> None:
    """Given a screenshot whose left half is black and transparent, and whose right half is red."""
    half = Image.new("RGBA", SCREEN_4K)
    half.paste("red", (1920, 0, *SCREEN_4K))
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, encode(half, "PNG", compress_level=1))
    expect(page.locator(".timing")).to_have_count(1)
    with Image.open(BytesIO(stage.files()[0])) as sent:
        left, right = (
            np.asarray(sent)[sent.height // 2, x] for x in (sent.width // 4, 3 * sent.width // 4)
        )
    assert np.abs(left - [255.0, 255, 255]).max() < 3
    assert np.abs(right - [255.0, 0, 0]).max() < 3


def test_panorama_keeps_the_pixels_of_its_centre(
    open_page: Open, stage: Gateway, tmp_path: Path
) -> None:
    page = open_page(f"{stage.url}/")
    choose_content(page, tmp_path, jpeg((16000, 1600)))
    expect(page.locator(".timing")).to_have_count(1)
    with Image.open(BytesIO(stage.files()[0])) as sent:
        assert sent.width == pytest.approx(10 * sent.height, abs=10)
        assert sent.height > 300


CANVAS = "CanvasRenderingContext2D.prototype"
BROKEN = {
    "draws nothing": f"{CANVAS}.drawImage = () => {{}}",
    "throws an error": f"{CANVAS}.drawImage = () => {{ throw new Error('too large') }}",
    "hides pixels": f"""
        const read = {CANVAS}.getImageData;
        {CANVAS}.getImageData = function (...box) {{
          const pixels = read.apply(this, box);
          return {{ data: pixels.data.map((value, index) => index * 37 % 256) }};
        }}""",
    "encodes nothing": "HTMLCanvasElement.prototype.toBlob = (resolve) => resolve(null)",
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_photo_is_sent_as_it_is_if_the_canvas_fails(
    open_page: Open, stage: Gateway, tmp_path: Path, script: str
) -> None:
    content = webp(MP12)
    page = open_page(f"{stage.url}/")
    page.evaluate(f"() => {{ {script} }}")
    choose_content(page, tmp_path, content)
    expect_espresso(page)
    assert stage.files() == [content]


def test_photos_are_shrunk_in_turn(open_page: Open, stage: Gateway) -> None:
    """Given five photos at once, no more than one is read at a time."""
    page = open_page(f"{stage.url}/")
    page.evaluate(
        """() => {
          const { createObjectURL, revokeObjectURL } = URL;
          const reading = new Set();
          window.most = 0;
          URL.createObjectURL = (blob) => {
            const address = createObjectURL(blob);
            if (blob.type === "image/webp") reading.add(address);
            window.most = Math.max(window.most, reading.size);
            return address;
          };
          URL.revokeObjectURL = (address) => {
            reading.delete(address);
            revokeObjectURL(address);
          };
        }"""
    )
    large = FilePayload(name="a.webp", mimeType="image/webp", buffer=webp(SCREEN_4K))
    choose(page, *5 * [large])
    expect(page.locator(".timing")).to_have_count(5)
    assert all(content.startswith(b"\xff\xd8") for content in stage.files())
    assert page.evaluate("window.most") == 1


def choose_content(page: Page, folder: Path, content: bytes) -> None:
    """Choose a file with this content. Playwright takes no buffers of more than 50 MB."""
    path = folder / "photo"
    path.write_bytes(content)
    page.get_by_label("Choose photos").set_input_files(path)


def expect_espresso(page: Page) -> float:
    """The probability of the first class in percent."""
    first = page.get_by_role("listitem").first
    expect(first).to_contain_text("espresso")
    return float(first.locator(".probability").inner_text().strip("%"))


def probability(server: Server, size: Size) -> float:
    """The probability of the first class in percent, of a PNG with the shape of this size."""
    content = png((1200, 1200 * size[1] // size[0]))
    response = server.client.post("/", content=content, headers={"content-type": "image/png"})
    return 100 * float(response.json()["predictions"][0]["probability"])


def shown(page: Page) -> Size:
    """The pixels of the preview, not those of the screen."""
    width, height = page.locator("article img").evaluate(
        "async (img) => (await img.decode(), [img.naturalWidth, img.naturalHeight])"
    )
    return width, height
