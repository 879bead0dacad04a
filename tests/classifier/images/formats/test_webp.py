"""WebP: the same pixels as Pillow's decoder gives, and files with odd chunks."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classifier.errors import UnreadableImage
from classifier.images import libwebp, read_image
from classifier.images.formats import webp
from tests.support.pictures import SIZE, difference, encode_fast, photo

Options = dict[str, Any]

ANIMATION, XMP, EXIF, ALPHA, ICC = 0x02, 0x04, 0x08, 0x10, 0x20
"""Flags of a VP8X chunk"""


def chunk(kind: bytes, data: bytes, *, padded: bool = True) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (padded and len(data) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sizes)


def picture_of(data: bytes) -> bytes:
    """The chunk of pixels of a simple lossy or lossless file."""
    assert data[12:16] in (b"VP8 ", b"VP8L")
    return data[12:]


def decoded(data: bytes) -> Image.Image:
    info = webp.inspect(data, 256)
    assert info.decode
    image = info.decode(data)
    assert isinstance(image, Image.Image)
    assert image.size == info.size
    return image


def by_pillow(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def pictures() -> list[tuple[str, Image.Image]]:
    cat = photo().resize((301, 203))
    clear = cat.copy()
    clear.putalpha(cat.getchannel(0))
    return [("RGB", cat), ("RGBA", clear), ("palette", cat.quantize(12).convert("RGB"))]


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("picture", pictures(), ids=lambda pair: pair[0])
def test_pixels_are_those_of_pillow(picture: tuple[str, Image.Image], lossless: bool) -> None:
    data = encode_fast(picture[1], "WEBP", lossless=lossless, quality=70)
    own, expected = decoded(data), by_pillow(data)
    assert own.mode == {"RGB": "RGBX", "RGBA": "RGBA"}[expected.mode]
    assert np.array_equal(np.asarray(own)[..., : len(expected.getbands())], np.asarray(expected))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_result_is_that_of_pillows_pixels(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_fast(dict(pictures())[mode], "WEBP", quality=80)
    own = read_image(data, SIZE)
    monkeypatch.setattr(libwebp, "is_available", lambda: False)
    assert webp.inspect(data, 256).decode is None
    assert np.array_equal(read_image(data, SIZE), own)


def test_uncompressed_transparency_is_read() -> None:
    grain = np.random.default_rng(1).integers(0, 256, (90, 120), np.uint8)
    picture = photo().resize((120, 90))
    picture.putalpha(Image.fromarray(grain))
    data = encode_fast(picture, "WEBP", quality=70)
    assert data[data.index(b"ALPH") + 8] & 3 == 0
    assert np.array_equal(np.asarray(decoded(data)), np.asarray(by_pillow(data)))


@pytest.mark.parametrize("alpha", [False, True])
def test_first_frame_of_an_animation_is_on_its_canvas(alpha: bool) -> None:
    """Given a frame smaller than the canvas, at an offset."""
    frame = picture_of(encode_fast(photo().resize((64, 48)), "WEBP"))
    place = (10).to_bytes(3, "little") + (4).to_bytes(3, "little")
    size = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    animated = chunk(b"ANMF", place + size + bytes(4) + frame)
    flags = ANIMATION | (ALPHA if alpha else 0)
    data = riff(canvas(120, 90, flags), chunk(b"ANIM", bytes(6)), animated, animated)
    own, expected = decoded(data), by_pillow(data)
    assert own.mode == ("RGBA" if alpha else "RGBX")
    assert np.array_equal(np.asarray(own)[..., : 4 if alpha else 3], np.asarray(expected))


def test_metadata_goes_with_the_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options: Options = {"icc_profile": bytes(501), "exif": exif.tobytes(), "xmp": b"<x/>"}
    data = encode_fast(photo(), "WEBP", **options)
    info = decoded(data).info
    expected = by_pillow(data).info
    assert {name: info[name] for name in options} == {name: expected[name] for name in options}


def same_as_plain(data: bytes) -> bool:
    plain = encode_fast(photo(), "WEBP")
    return np.array_equal(read_image(data, SIZE), read_image(plain, SIZE))


def odd_files() -> dict[str, bytes]:
    cat = photo()
    plain = encode_fast(cat, "WEBP")
    picture = picture_of(plain)
    whole = canvas(*cat.size)
    return {
        "many equal chunks": riff(whole, chunk(b"abcd", b"") * 1_000_000, picture),
        "many equal odd chunks": riff(whole, chunk(b"abcd", b"x") * 200_000, picture),
        "many chunks": riff(
            whole, *(chunk(b"abcd", bytes(n % 7)) for n in range(100_000)), picture
        ),
        "chunks without padding": riff(whole, chunk(b"abcd", b"odd", padded=False), picture),
        "long metadata": riff(
            canvas(*cat.size, EXIF | XMP | ICC),
            chunk(b"ICCP", bytes(5_000_000)),
            picture,
            chunk(b"EXIF", b"II*\0\x08\0\0\0" + b"\xff" * 5_000_000),
            chunk(b"XMP ", b"<" * 5_000_000),
        ),
        "trailing data": plain + bytes(100_000),
        "a RIFF size of zero": plain[:4] + bytes(4) + plain[8:],
        "a RIFF size beyond the file": plain[:4] + b"\xf0\xff\xff\x7f" + plain[8:],
        "another canvas": riff(canvas(16_384, 16_384), picture),
    }


@pytest.mark.parametrize("data", odd_files().values(), ids=odd_files())
def test_odd_files_are_read(data: bytes) -> None:
    assert same_as_plain(data)


def test_picture_behind_more_chunks_than_are_walked_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cat = photo()
    between = [chunk(b"abcd", bytes(n % 7)) for n in range(300)]
    data = riff(canvas(*cat.size), *between, picture_of(encode_fast(cat, "WEBP")))
    monkeypatch.setattr(webp, "MAX_CHUNKS", 100)
    assert same_as_plain(data)


def test_orientation_survives_many_chunks() -> None:
    cat = photo()
    exif = Image.Exif()
    exif[0x0112] = 3
    picture = picture_of(encode_fast(cat, "WEBP", lossless=True))
    block = chunk(b"EXIF", exif.tobytes()[6:])
    data = riff(canvas(*cat.size, EXIF), picture, chunk(b"abcd", b"") * 300_000, block)
    upright = read_image(encode_fast(cat, "WEBP", lossless=True), SIZE)
    assert difference(read_image(data, SIZE), upright[::-1, ::-1]) < 2


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_truncated_file_is_unreadable(kept: float, lossless: bool) -> None:
    data = encode_fast(photo(), "WEBP", lossless=lossless)
    with pytest.raises(UnreadableImage):
        read_image(data[: int(kept * len(data))], SIZE)


def test_frame_outside_the_canvas_is_unreadable() -> None:
    frame = picture_of(encode_fast(photo().resize((64, 48)), "WEBP"))
    place = (40).to_bytes(3, "little") + bytes(3)
    size = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    animated = chunk(b"ANMF", place + size + bytes(4) + frame)
    with pytest.raises(UnreadableImage, match="larger than the image"):
        read_image(riff(canvas(120, 90, ANIMATION), animated), SIZE)


def test_estimate_follows_the_coding() -> None:
    """A lossless picture has its pixels twice, transparency has a plane."""
    picture = photo().resize((900, 600))
    clear = picture.copy()
    clear.putalpha(picture.getchannel(0))
    pixels = 900 * 600

    def memory(image: Image.Image, **options: Any) -> int:
        return webp.inspect(encode_fast(image, "WEBP", **options), 256).decode_bytes

    assert 4 * pixels < memory(picture) < 5 * pixels
    assert 8 * pixels < memory(picture, lossless=True) < 9 * pixels
    assert memory(picture) + pixels < memory(clear) < memory(picture) + 6 * pixels
