"""The sizes and sample formats in the headers of AV1 and HEVC."""

from collections.abc import Callable

import pytest
from PIL import Image

from classifier.errors import UnreadableImage
from classifier.images import read_image
from classifier.images.formats import UnusualStructure, isobmff
from classifier.images.formats.isobmff import av1, hevc
from classifier.images.formats.isobmff.bits import Bits
from tests.hostile.corpus.avif import avif_item
from tests.hostile.corpus.boxes import Item, content, still
from tests.hostile.corpus.heic import heic_item
from tests.support.pictures import SIZE, encode, encode_fast, photo


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (451, 300), (8, 700)])
@pytest.mark.parametrize(
    ("subsampling", "samples"), [("4:2:0", 1.5), ("4:2:2", 2), ("4:4:4", 3), ("4:0:0", 1)]
)
def test_av1_header_is_read(size: tuple[int, int], subsampling: str, samples: float) -> None:
    data = encode_fast(photo().resize(size), "AVIF", subsampling=subsampling)
    pixels = content(data, b"mdat")[8:]
    pictures, frames, units = av1.read(pixels, 0, len(pixels))
    assert [(each.width, each.height, each.samples, each.deep) for each in pictures] == [
        (*size, samples, False)
    ]
    assert frames == 1
    assert units >= 2
    configured = av1.read_configuration(content(data, b"av1C"), 8)
    assert (configured.samples, configured.deep) == (samples, False)


def test_av1_header_of_a_sequence_is_read() -> None:
    """It has many more fields."""
    frames = [photo().resize((70, 50)).rotate(angle) for angle in range(3)]
    data = encode_fast(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    pixels = content(data, b"mdat")[8:]
    pictures, count, _ = av1.read(pixels, 0, len(pixels))
    assert {(each.width, each.height, each.samples) for each in pictures} == {(70, 50, 1.5)}
    assert count >= 3
    info = isobmff.inspect(data, 256)
    assert info.size == (70, 50)
    assert read_image(data, SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("options", "samples"), [({}, 1.5), ({"chroma": 422}, 2), ({"chroma": 444}, 3)]
)
def test_hevc_header_is_read(options: dict[str, int], samples: float) -> None:
    box = content(encode(photo(), "HEIF", **options), b"hvcC")
    pictures, length_size = hevc.read_configuration(box, 8, len(box))
    found = [(each.width, each.height, each.samples, each.deep) for each in pictures]
    width, height = photo().size
    assert length_size == 4
    assert len(found) == 1
    # The coded size is a multiple of the least block.
    assert width <= found[0][0] < width + 16
    assert height <= found[0][1] < height + 16
    assert found[0][2:] == (samples, False)


def test_deep_hevc_header_is_read() -> None:
    deep = Image.new("I;16", (64, 64), 40_000)
    box = content(encode(deep, "HEIF"), b"hvcC")
    pictures, _ = hevc.read_configuration(box, 8, len(box))
    assert [(each.samples, each.deep) for each in pictures] == [(1, True)]


def test_deep_grey_heic_is_read() -> None:
    grey = photo().convert("L")
    deep = grey.convert("I").point(lambda value: value * 257).convert("I;16")
    bright = read_image(encode(deep, "HEIF", quality=95), SIZE)
    assert abs(int(bright.mean()) - int(read_image(encode(grey, "PNG"), SIZE).mean())) <= 2


def test_parameter_sets_among_the_pixels_are_found() -> None:
    """Given small pixels, and in front of them the parameter sets of a larger picture."""
    small, large = heic_item(photo().resize((64, 64))), heic_item(photo())
    box = large.properties[0]
    sets = _units(box)
    mixed = small._replace(data=sets + small.data)
    info = isobmff.inspect(still((b"heic",), [mixed]), 256)
    assert info.decode_bytes > 4 * photo().width * photo().height


def _units(box: bytes) -> bytes:
    """The parameter sets of an `hvcC` box, each after its length."""
    position, units = 8 + 23, b""
    for _ in range(box[8 + 22]):
        count = int.from_bytes(box[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            length = int.from_bytes(box[position : position + 2], "big")
            units += length.to_bytes(4, "big") + box[position + 2 : position + 2 + length]
            position += 2 + length
    return units


@pytest.mark.parametrize("make", [avif_item, heic_item])
def test_endless_units_are_refused(make: Callable[[Image.Image], Item]) -> None:
    item = make(photo().resize((64, 64)))
    unit = b"\x12\0" if item.kind == b"av01" else b"\0\0\0\3\x4c\1\0"
    data = still((b"avif", b"heic"), [item._replace(data=item.data + unit * 150_000)])
    with pytest.raises(UnreadableImage, match="units"):
        read_image(data, SIZE)


def test_endless_sequence_headers_are_refused() -> None:
    item = avif_item(photo().resize((64, 64)))
    header = item.data[item.data.index(b"\x0a") :][: 2 + item.data[item.data.index(b"\x0a") + 1]]
    repeated = header * 2000
    with pytest.raises(UnusualStructure):
        av1.read(repeated, 0, len(repeated))


def test_bits_beyond_the_end_are_zeros() -> None:
    bits = Bits(b"\xa5")
    assert [bits.read(3), bits.read(5), bits.read(4), bits.read(64)] == [5, 5, 0, 0]
    assert Bits(b"\xa5").read(12) == 0xA50
    assert Bits(b"").read_exp_golomb() == 0


@pytest.mark.parametrize(
    ("bits", "value"), [(b"\x80", 0), (b"\x40", 1), (b"\x60", 2), (b"\x28", 4)]
)
def test_exp_golomb_numbers_are_read(bits: bytes, value: int) -> None:
    assert Bits(bits).read_exp_golomb() == value
