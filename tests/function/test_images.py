"""Untrusted bytes -> pixels: formats, modes, orientation, cropping, limits."""

import zlib
from io import BytesIO
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, features

from classifier.errors import TooManyPixels, UnreadableImage, UnsupportedFormat
from classifier.images import FORMATS, read_image
from tests.support.pictures import difference, encode, photo

Options = dict[str, Any]
Pixels = NDArray[np.uint8]

SIZE: Final = 224

# The encoders do what is fastest: it is the decoders that are tested.
FAST: Final[dict[str, Options]] = {"AVIF": {"speed": 10}, "WEBP": {"method": 0}}

LOSSLESS: Final[dict[str, Options]] = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
}
LOSSY: Final[dict[str, Options]] = {
    "JPEG": {"quality": 95},
    "AVIF": {"quality": 95},
    "GIF": {},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "jpeg"},
}


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return photo()


@pytest.fixture(scope="module")
def pixels(cat: Image.Image) -> Pixels:
    return read_image(encode(cat, "PNG"), SIZE)


def test_pixels_are_the_centred_square_resized(cat: Image.Image, pixels: Pixels) -> None:
    side = 0.875 * min(cat.size)
    left, top = (cat.width - side) / 2, (cat.height - side) / 2
    expected = cat.resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(expected))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_same_pixels(cat: Image.Image, pixels: Pixels, kind: str) -> None:
    assert np.array_equal(
        read_image(encode(cat, kind, **LOSSLESS[kind], **FAST.get(kind, {})), SIZE), pixels
    )


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_give_nearly_the_same_pixels(
    cat: Image.Image, pixels: Pixels, kind: str
) -> None:
    assert (
        difference(read_image(encode(cat, kind, **LOSSY[kind], **FAST.get(kind, {})), SIZE), pixels)
        < 6
    )


def test_heic_is_read_where_pillow_heif_is_installed(cat: Image.Image, pixels: Pixels) -> None:
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    assert "HEIF" in FORMATS
    assert difference(read_image(encode(cat, "HEIF", quality=95), SIZE), pixels) < 6


def test_every_format_of_the_list_is_compiled_in() -> None:
    assert features.check("webp")
    assert features.check("avif")
    assert features.check("libtiff")


def test_jpeg_is_decoded_at_the_scale_that_still_covers_the_input() -> None:
    """A large photo and its copy at an eighth of the size look the same to the model."""
    small = photo().resize((420, 280), Image.Resampling.LANCZOS)
    large = small.resize((3360, 2240), Image.Resampling.BICUBIC)
    reduced = read_image(encode(large, "JPEG", quality=95), SIZE)
    assert difference(reduced, read_image(encode(small, "PNG"), SIZE)) < 2


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1", "PA"])
def test_modes_of_png_and_gif(cat: Image.Image, mode: str) -> None:
    converted = cat.convert("L").convert("PA") if mode == "PA" else cat.convert(mode)
    expected = read_image(encode(converted.convert("RGB"), "PNG"), SIZE)
    kind = "TIFF" if mode == "PA" else "PNG"
    assert difference(read_image(encode(converted, kind), SIZE), expected) < 0.1


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "F", "I", "I;16"])
def test_modes_of_tiff(cat: Image.Image, mode: str) -> None:
    grey = np.asarray(cat.convert("L"))
    converted = {
        "F": lambda: Image.fromarray((grey / 255).astype(np.float32)),
        "I": lambda: Image.fromarray(grey.astype(np.int32) * 257),
        "I;16": lambda: Image.fromarray(grey.astype(np.uint16) * 257),
    }.get(mode, lambda: cat.convert(mode))()
    original = cat if mode in ("CMYK", "YCbCr") else cat.convert("L").convert("RGB")
    expected = read_image(encode(original, "PNG"), SIZE)
    assert difference(read_image(encode(converted, "TIFF"), SIZE), expected) < 2


def test_lab_tiff(cat: Image.Image, pixels: Pixels) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(cat, srgb, lab, outputMode="LAB")
    assert converted
    assert difference(read_image(encode(converted, "TIFF"), SIZE), pixels) < 2


def test_sixteen_bit_png_keeps_its_greys(cat: Image.Image) -> None:
    grey = np.asarray(cat.convert("L"))
    deep = encode(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    expected = read_image(encode(Image.fromarray(grey), "PNG"), SIZE)
    assert difference(read_image(deep, SIZE), expected) <= 1


def test_cmyk_jpeg(cat: Image.Image, pixels: Pixels) -> None:
    assert difference(read_image(encode(cat.convert("CMYK"), "JPEG", quality=95), SIZE), pixels) < 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_laid_over_white(kind: str) -> None:
    """Given red at half opacity on the left and nothing on the right, one sees pink and white."""
    picture = Image.new("RGBA", (400, 400), (255, 0, 0, 128))
    picture.paste((0, 0, 0, 0), (200, 0, 400, 400))
    seen = read_image(encode(picture, kind, **FAST.get(kind, {})), SIZE).astype(int)
    assert np.abs(seen[100, 50] - (255, 127, 127)).max() <= 4
    assert np.abs(seen[100, 200] - (255, 255, 255)).max() <= 4


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_white(mode: str) -> None:
    picture = Image.new(mode, (400, 400), 0)
    seen = read_image(encode(picture, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0), SIZE)
    assert seen.min() == 255


def test_a_transparent_grey_of_a_deep_png_is_white() -> None:
    deep = Image.fromarray(np.zeros((400, 400), np.uint16))
    assert read_image(encode(deep, "PNG", transparency=0), SIZE).min() == 255


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_counts(cat: Image.Image, kind: str) -> None:
    black = Image.new("RGB", cat.size)
    options = dict(FAST.get(kind, {}), **({"lossless": True} if kind == "WEBP" else {}))
    animation = encode(cat, kind, save_all=True, append_images=[black, black], **options)
    expected = read_image(encode(cat, kind, **options), SIZE)
    assert difference(read_image(animation, SIZE), expected) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientations_give_the_same_pixels(
    cat: Image.Image, pixels: Pixels, kind: str, orientation: int
) -> None:
    """Given the picture turned, and the tag that says how to turn it back."""
    undo = Image.Exif()
    undo[0x0112] = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    picture = cat.copy()
    picture.info["exif"] = undo.tobytes()
    picture.getexif()[0x0112] = undo[0x0112]
    turned = ImageOps.exif_transpose(picture)
    tag = Image.Exif()
    tag[0x0112] = orientation
    quality: dict[str, Options] = {
        "JPEG": {"quality": 97},
        "AVIF": {"quality": 97},
        "WEBP": {"lossless": True},
    }
    options = {**FAST.get(kind, {}), **quality.get(kind, {})}
    data = encode(turned, kind, exif=tag.tobytes(), **options)
    assert difference(read_image(data, SIZE), pixels) < 4


def test_damaged_exif_is_no_reason_to_refuse(cat: Image.Image, pixels: Pixels) -> None:
    data = encode(cat, "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert difference(read_image(data, SIZE), pixels) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2), (257, 31)])
def test_odd_shapes_have_pixels(size: tuple[int, int]) -> None:
    for mode in ("RGB", "RGBA"):
        data = encode(Image.new(mode, size, "red"), "PNG")
        assert read_image(data, SIZE)[..., 0].min() == 255


def test_the_limit_on_pixels_comes_before_decoding() -> None:
    data = encode(Image.new("1", (1000, 1001)), "PNG")
    with pytest.raises(TooManyPixels, match=r"1\.0 megapixels; at most 1 are"):
        read_image(data, SIZE, max_pixels=1_000_000)
    assert read_image(data, SIZE, max_pixels=1_001_000).shape == (SIZE, SIZE, 3)


def test_an_enormous_header_costs_nothing() -> None:
    """Given a PNG of some bytes that claims 4 gigapixels."""
    data = bytearray(encode(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = (65535).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(TooManyPixels, match=r"4294\.8 megapixels"):
        read_image(bytes(data), SIZE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_file_cut_short_does_not_decode(cat: Image.Image, kind: str) -> None:
    data = encode(cat, kind)
    for length in (len(data) // 2, 60, 20):
        with pytest.raises(UnreadableImage, match="does not decode"):
            read_image(data[:length], SIZE)


def test_no_bytes() -> None:
    with pytest.raises(UnreadableImage, match="empty"):
        read_image(b"", SIZE)


@pytest.mark.parametrize(
    "data",
    [
        b"not an image",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<!doctype html><title>cat</title>",
        bytes(4096),
    ],
)
def test_what_is_no_image_is_of_no_accepted_format(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="Convert it to JPEG or PNG"):
        read_image(data, SIZE)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "JPEG2000"])
def test_formats_outside_the_list_are_refused(cat: Image.Image, kind: str) -> None:
    with pytest.raises(UnsupportedFormat):
        read_image(encode(cat, kind), SIZE)


def test_a_phone_jpeg_with_a_second_picture_in_it(cat: Image.Image, pixels: Pixels) -> None:
    data = encode(cat, "MPO", save_all=True, append_images=[Image.new("RGB", cat.size)], quality=95)
    with Image.open(BytesIO(data)) as image:
        assert image.format == "MPO"
    assert difference(read_image(data, SIZE), pixels) < 3


def _plain(mode: str, size: tuple[int, int], kind: str, **options: Any) -> bytes:
    return encode(Image.new(mode, size), kind, **options)


@pytest.mark.parametrize(
    ("mode", "size", "kind", "options"),
    [
        ("RGB", (4032, 3024), "PNG", {"compress_level": 1}),
        ("RGBA", (4032, 3024), "PNG", {"compress_level": 1}),
        ("RGB", (8064, 6048), "JPEG", {}),
        ("RGB", (6000, 4000), "JPEG", {}),
        ("RGB", (4032, 3024), "JPEG", {"progressive": True}),
    ],
)
def test_what_phones_and_cameras_make_is_read(
    mode: str, size: tuple[int, int], kind: str, options: Options
) -> None:
    assert read_image(_plain(mode, size, kind, **options), SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_memory_is_the_limit(kind: str) -> None:
    data = _plain("RGB", (1000, 1000), kind)
    with pytest.raises(TooManyPixels, match="MiB of memory; the limit is 5 MiB"):
        read_image(data, SIZE, max_decode_bytes=5 << 20)
    assert read_image(data, SIZE, max_decode_bytes=22 << 20).shape == (SIZE, SIZE, 3)


def test_a_jpeg_of_many_scans_is_refused() -> None:
    data = _plain("L", (2000, 2000), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(TooManyPixels, match=r"progressive JPEG of .* scans, which takes too long"):
        read_image(data[:-2] + data[scan:-2] * 150 + b"\xff\xd9", SIZE)
