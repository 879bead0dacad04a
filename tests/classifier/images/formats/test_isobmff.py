"""AVIF and HEIC: the decoder by the primary item, odd boxes, and what is refused."""

import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.errors import TooManyPixels, UnreadableImage, UnsupportedFormat
from classifier.images import FORMATS, libheif, read_image
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, isobmff
from tests.hostile.corpus.avif import avif_item
from tests.hostile.corpus.boxes import (
    Item,
    box,
    full_box,
    grid,
    link,
    size_property,
    still,
    with_front,
    with_in_meta,
)
from tests.hostile.corpus.heic import heic_item, heic_tiles
from tests.support.pictures import SIZE, difference, encode, encode_fast, photo

Pixels = NDArray[np.uint8]

COLOURS: Final = 4
"""Mean difference of pixels that another lossy coding makes"""


@cache
def file(kind: str) -> bytes:
    return encode(photo(), "HEIF", quality=90) if kind == "HEIF" else encode_fast(photo(), kind)


@cache
def item(kind: str) -> Item:
    return heic_item(photo()) if kind == "HEIF" else avif_item(photo())


def built(kind: str, *others: Item, brands: tuple[bytes, ...] = ()) -> bytes:
    own = (b"heic", b"mif1") if kind == "HEIF" else (b"avif", b"mif1")
    return still(brands or own, [item(kind), *others])


@cache
def expected() -> Pixels:
    return read_image(encode(photo(), "PNG"), SIZE)


def assert_is_cat(data: bytes) -> None:
    assert difference(read_image(data, SIZE), expected()) < COLOURS


def inspected(data: bytes) -> ImageInfo:
    return isobmff.inspect(data, 256)


both = pytest.mark.parametrize("kind", ["HEIF", "AVIF"])


@both
def test_ordinary_file_is_read_without_a_copy(kind: str) -> None:
    assert_is_cat(file(kind))
    assert inspected(file(kind)).replacement is None


def test_heif_is_an_accepted_format() -> None:
    assert "HEIF" in FORMATS


@pytest.mark.parametrize("turn", range(4))
def test_heic_is_turned_as_it_says(turn: int) -> None:
    """`irot` counts quarter turns against the clock."""
    turned = item("HEIF")._replace(
        properties=[*item("HEIF").properties, box(b"irot", bytes([turn]))]
    )
    data = still((b"heic",), [turned])
    assert difference(np.rot90(read_image(data, SIZE), -turn), expected()) < COLOURS
    width, height = (side + side % 2 for side in photo().size)  # `clap` cuts it off
    assert inspected(data).size == ((height, width) if turn % 2 else (width, height))


def test_exif_orientation_of_heic_is_ignored() -> None:
    """The file itself says how it is turned; phones write EXIF as well."""
    exif = Image.Exif()
    exif[0x0112] = 6
    block = bytes(4) + exif.tobytes()[6:]
    assert_is_cat(built("HEIF", Item(2, b"Exif", block, references=[link(b"cdsc", 1)])))


def test_heic_of_tiles_is_read() -> None:
    assert_is_cat(heic_tiles(photo(), 128))


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA"])
def test_modes_of_heic_are_read(mode: str) -> None:
    picture = photo().convert(mode)
    data = encode(picture, "HEIF", quality=90)
    wanted = read_image(encode(picture, "PNG"), SIZE)
    assert difference(read_image(data, SIZE), wanted) < COLOURS


def test_transparency_of_heic_is_over_white() -> None:
    picture = Image.new("RGBA", (256, 256), (255, 0, 0, 128))
    seen = read_image(encode(picture, "HEIF", quality=90), SIZE).astype(int)
    assert np.abs(seen - (255, 127, 127)).max() <= 6


def test_pixels_of_heic_are_those_of_pi_heif() -> None:
    pi_heif = pytest.importorskip("pi_heif")
    image = pi_heif.open_heif(file("HEIF")).to_pillow()
    assert np.array_equal(read_image(file("HEIF"), SIZE), read_image(encode(image, "PNG"), SIZE))


BRANDS: Final = [
    (b"heic",), (b"heix", b"mif1"), (b"mif1", b"heic"), (b"mif1",), (b"miaf",), (b"heim",),
    (b"hevc",), (b"msf1", b"mif1"), (b"avif",), (b"abcd",),
]  # fmt: skip


@both
@pytest.mark.parametrize("brands", BRANDS, ids=lambda brands: b"-".join(brands).decode())
def test_primary_item_chooses_the_decoder(kind: str, brands: tuple[bytes, ...]) -> None:
    assert_is_cat(built(kind, brands=brands))


def test_heic_without_its_library_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libheif, "is_available", lambda: False)
    identified = struct.pack(">L", 24) + b"ftypmif1" + bytes(4) + b"mif1heic" + box(b"free", b"")
    for data in (file("HEIF"), built("HEIF", brands=(b"miaf",)), identified):
        with pytest.raises(UnsupportedFormat, match=r"HEIC photo .* lacks the package pi-heif"):
            read_image(data, SIZE)
    assert_is_cat(file("AVIF"))


def test_heic_library_is_imported_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "cat.jpeg").write_bytes(encode(photo(), "JPEG"))
    (tmp_path / "cat.heic").write_bytes(file("HEIF"))
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from classifier.images import read_image\n"
        "for name in sys.argv[1:]:\n"
        "    read_image(Path(name).read_bytes(), 224)\n"
        "    print('pi_heif' in sys.modules)\n"
    )
    names = [str(tmp_path / name) for name in ("cat.jpeg", "cat.heic")]
    output = subprocess.run(
        [sys.executable, "-c", program, *names],
        capture_output=True, check=True, cwd="function", text=True,
    )  # fmt: skip
    assert output.stdout.split() == ["False", "True"]
    assert output.stderr == ""


@pytest.mark.parametrize(
    ("kind", "name"),
    [(b"jpeg", "JPEG"), (b"avc1", "H.264"), (b"unci", "uncompressed"), (b"vvc1", "VVC"),
     (b"j2k1", "JPEG 2000"), (b"iovl", "overlay"), (b"iden", "derived"), (b"abcd", "abcd")],
)  # fmt: skip
def test_other_codings_are_named(kind: bytes, name: str) -> None:
    primary = Item(1, kind, bytes(40), [size_property(64, 64)], references=[link(b"dimg", 1, 1)])
    with pytest.raises(UnsupportedFormat, match=f"HEIF file .*{name}"):
        read_image(still((b"mif1",), [primary]), SIZE)


def test_video_is_unsupported() -> None:
    video = box(b"ftyp", b"mp42" + bytes(4) + b"mp42") + box(b"mdat", bytes(99)) + box(b"moov", b"")
    with pytest.raises(UnsupportedFormat, match="video"):
        read_image(video, SIZE)


def odd_front() -> dict[str, bytes]:
    return {
        "many equal boxes": box(b"free", b"") * 1_000_000,
        "many boxes": b"".join(box(b"abcd", bytes([n & 255])) for n in range(20_000)),
        "tracks": box(b"moov", box(b"trak", bytes(100))),
    }


@both
@pytest.mark.parametrize("name", odd_front())
@pytest.mark.parametrize("place", ["in front", "in meta", "behind"])
def test_odd_boxes_are_skipped(kind: str, name: str, place: str) -> None:
    odd = odd_front()[name]
    data = {
        "in front": lambda: with_front(built(kind), odd),
        "in meta": lambda: with_in_meta(built(kind), odd),
        "behind": lambda: built(kind) + odd,
    }[place]()
    assert_is_cat(data)


@both
@pytest.mark.parametrize(
    "data", [bytes(1000), b"garbage!" * 99, b"abc"], ids=["zero", "text", "short"]
)
def test_trailing_data_is_skipped(kind: str, data: bytes) -> None:
    assert_is_cat(file(kind) + data)


@both
def test_brands_and_tracks_of_a_sequence_are_hidden_from_the_decoder(kind: str) -> None:
    """Given a still image that is also a sequence, of which the tables claim very much."""
    own = (b"mif1", b"heic", b"msf1", b"hevc") if kind == "HEIF" else (b"mif1", b"avif", b"avis")
    claims = full_box(b"stts", struct.pack(">III", 1, 2**31, 1))
    tracks = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", claims)))))
    assert_is_cat(built(kind, brands=own) + tracks)


def test_exif_that_libavif_refuses_is_hidden_from_it() -> None:
    """Given a TIFF header that is not where its offset says."""
    block = (2).to_bytes(4, "big") + b"II*\0\x08\0\0\0" + bytes(9)
    assert_is_cat(built("AVIF", Item(2, b"Exif", block, references=[link(b"cdsc", 1)])))


def odd_metadata() -> dict[str, Item]:
    many = struct.pack("<HHLL", 0x0112, 3, 1, 1) * 5000
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + many
    canon = b"II*\0\x08\0\0\0\0\0" + bytes([7]) * 200 + b"II*\0\x10\0\0\0" + b"\xff\xff" * 40
    cdsc = [link(b"cdsc", 1)]
    return {
        "maker note": Item(2, b"Exif", bytes(4) + canon, references=cdsc),
        "long directory": Item(2, b"Exif", bytes(4) + block, references=cdsc),
        "long": Item(2, b"Exif", bytes(4) + b"II*\0" + bytes(3_000_000), references=cdsc),
        "short": Item(2, b"Exif", b"ab", references=cdsc),
        "compressed": Item(
            2, b"mime", bytes(99), references=cdsc, extra=b"application/rdf+xml\0deflate\0"
        ),
    }


@both
@pytest.mark.parametrize("name", odd_metadata())
def test_odd_metadata_is_skipped(kind: str, name: str) -> None:
    assert_is_cat(built(kind, odd_metadata()[name]))


@pytest.mark.parametrize("name", ["long directory", "long"])
def test_orientation_of_avif_survives_odd_metadata(name: str) -> None:
    turned = item("AVIF")._replace(properties=[*item("AVIF").properties, box(b"irot", b"\2")])
    data = still((b"avif",), [turned, odd_metadata()[name]])
    assert inspected(data).replacement is not None
    assert difference(read_image(data, SIZE), expected()[::-1, ::-1]) < COLOURS


def test_exif_is_where_the_tables_say_it_is() -> None:
    """A TIFF header in a maker note, or in the pixels, is not EXIF."""
    assert inspected(built("AVIF", odd_metadata()["maker note"])).replacement is None


@both
def test_more_tiles_or_items_than_a_photo_has_are_unsupported(kind: str) -> None:
    many = [Item(number, b"abcd") for number in range(2, 5000)]
    with pytest.raises(UnsupportedFormat, match="items"):
        read_image(built(kind, *many), SIZE)
    other = Item(9, b"grid", grid(255, 255, 9, 9), [size_property(9, 9)],
                 references=[link(b"dimg", *[1] * (255 * 255))])  # fmt: skip
    with pytest.raises(UnsupportedFormat, match=r"references|tiles"):
        read_image(still((b"heic", b"avif"), [item(kind), other], primary=9), SIZE)


@both
def test_more_ids_than_a_photo_has_are_unsupported(kind: str) -> None:
    """libavif has an item for each id, also for those that are only referred to."""
    other = Item(2, b"abcd", references=[link(b"dimg", *range(10, 5010))])
    with pytest.raises(UnsupportedFormat, match="items"):
        read_image(built(kind, other), SIZE)


@both
def test_grid_of_itself_is_refused(kind: str) -> None:
    loop = Item(2, b"grid", grid(1, 1, 64, 64), [size_property(64, 64)],
                references=[link(b"dimg", 2)])  # fmt: skip
    with pytest.raises(UnsupportedFormat, match="tiles"):
        read_image(still((b"heic", b"avif"), [item(kind), loop], primary=2), SIZE)


@both
@pytest.mark.parametrize("side", [0, 5000, 15_000, 2**32 - 1])
def test_false_size_is_refused(kind: str, side: int) -> None:
    properties = [
        size_property(side, side) if b"ispe" in each else each for each in item(kind).properties
    ]
    data = still((b"heic", b"avif"), [item(kind)._replace(properties=properties)])
    with pytest.raises((UnreadableImage, TooManyPixels)):
        read_image(data, SIZE)


@both
def test_estimate_follows_the_pixels_that_are_coded(kind: str) -> None:
    """Given a size that is smaller than that in the coded pixels, which decoders allocate."""
    picture = photo().resize((2000, 1500))
    large = heic_item(picture) if kind == "HEIF" else avif_item(picture)
    properties = [size_property(16, 16) if b"ispe" in each else each for each in large.properties]
    small = still((b"heic", b"avif"), [large._replace(properties=properties)])
    assert inspected(small).decode_bytes > 2 * 2000 * 1500


def test_estimate_of_avif_counts_frames() -> None:
    """Frames may be decoded without being shown."""
    repeated = item("AVIF")._replace(data=item("AVIF").data * 5)
    once, more = (inspected(still((b"avif",), [each])) for each in (item("AVIF"), repeated))
    width, height = photo().size
    assert more.decode_bytes > once.decode_bytes + 4 * 1.5 * width * height
    assert more.seconds > 4 * once.seconds


@both
@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.99])
def test_truncated_file_is_unreadable(kind: str, kept: float) -> None:
    with pytest.raises(UnreadableImage):
        read_image(file(kind)[: int(kept * len(file(kind)))], SIZE)


def sequence() -> bytes:
    frames = [photo().resize((64, 64)).rotate(angle) for angle in range(3)]
    return encode_fast(frames[0], "AVIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("table", "at"), [(b"stsz", 12), (b"stco", 8), (b"stsc", 16), (b"stts", 12)]
)
def test_sequence_of_too_many_frames_is_unsupported(table: bytes, at: int) -> None:
    data = bytearray(sequence())
    place = data.index(table)
    data[place + at : place + at + 4] = struct.pack(">I", 2**31)
    with pytest.raises(UnsupportedFormat, match="frames"):
        read_image(bytes(data), SIZE)


def test_name_of_a_table_in_the_pixels_is_no_table() -> None:
    assert_is_cat(file("AVIF") + b"stts" + b"\xff" * 40)


def test_large_heic_is_within_the_time() -> None:
    """Given what a phone of 48 megapixels says in its tables; the pixels are one tile's."""
    tiles = 12 * 16
    tile = heic_item(photo().resize((512, 512)))
    items = [tile._replace(id=number, hidden=True) for number in range(1, tiles + 1)]
    whole = Item(tiles + 1, b"grid", grid(12, 16, 8064, 6048), [size_property(8064, 6048)],
                 references=[link(b"dimg", *range(1, tiles + 1))])  # fmt: skip
    info = inspected(still((b"heic",), [*items, whole], primary=tiles + 1))
    assert info.size == (8064, 6048)
    assert info.seconds < 2.5
    assert 4.5 * 8064 * 6048 < info.decode_bytes < 5 * 8064 * 6048


@both
def test_damaged_tables_never_reach_the_decoder(kind: str) -> None:
    """Whatever byte is damaged, the file is inspected or refused for a reason."""
    data = built(kind)
    for at in range(data.index(b"mdat")):
        damaged = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            info = inspected(damaged)
        except (UnusualStructure, UnsupportedCoding):
            continue
        assert info.decode_bytes > 0
