"""The kinds of photos and scans that people have, and the sizes of each."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, Final

from PIL import Image

from local.benchmark.photos.pictures import Picture
from local.benchmark.photos.tiff import write_tiff

Size = tuple[int, int]

MEGAPIXELS: Final[dict[str, Size]] = {
    "1": (1200, 900), "3": (2000, 1500), "12": (4000, 3000), "24": (6000, 4000),
    "48": (8064, 6048), "50": (8160, 6120), "64": (9248, 6936), "108": (12000, 9000),
    "200": (16320, 12240),
}  # fmt: skip
"""Sizes of cameras' sensors, by their usual names"""

SCREENS: Final[tuple[Size, ...]] = ((3840, 2160), (5120, 2880), (6016, 3384), (7680, 4320))

A4: Final[dict[str, Size]] = {"300 dpi": (2480, 3508), "600 dpi": (4960, 7016)}

HEIF_ENCODER: Final = "pillow_heif"


class EncoderMissing(Exception):
    """A photo cannot be made here; the message is the package that is needed."""


@dataclass(frozen=True)
class Kind:
    """One way to encode a photo. `make` takes the picture and a size."""

    title: str
    suffix: str
    content_type: str
    make: Callable[[Picture, Size], bytes]
    page: bool = False
    """A scanned page, not a photo"""


@dataclass(frozen=True)
class Photo:
    """A kind in one size; `name` is that of its file."""

    kind: Kind
    size: Size
    label: str

    @property
    def title(self) -> str:
        return f"{self.kind.title}, {self.label}"

    @property
    def name(self) -> str:
        words = self.kind.title.lower().replace(":", "").replace(",", "").split()
        return f"{'-'.join(words)}-{self.size[0]}x{self.size[1]}.{self.kind.suffix}"

    def small(self, picture: Picture) -> bytes:
        """A small JPEG that shows the same."""
        return picture.small_page() if self.kind.page else picture.small(self.size)


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode(picture: Picture, size: Size, *, kind: str, mode: str = "RGB", **options: Any) -> bytes:
    return _save(picture.photo(size, mode), kind, **options)


def heic(picture: Picture, size: Size, **options: Any) -> bytes:
    if importlib.util.find_spec(HEIF_ENCODER) is None:
        raise EncoderMissing(HEIF_ENCODER)
    import pillow_heif  # type: ignore[import-untyped,unused-ignore]

    buffer = BytesIO()
    fast = {"preset": "ultrafast"}
    image = pillow_heif.from_pillow(picture.photo(size))
    image.save(buffer, quality=60, enc_params=fast, **options)
    return buffer.getvalue()


def _tiff(picture: Picture, size: Size, *, coding: str, layout: str) -> bytes:
    return write_tiff(picture.photo(size), coding, layout)


def _scan(picture: Picture, size: Size, *, pages: int = 1, **options: Any) -> bytes:
    page = picture.scan(size)
    more: dict[str, Any] = {"save_all": True, "append_images": [page] * (pages - 1)}
    return _save(page, "TIFF", compression="group4", **(more if pages > 1 else {}), **options)


def _jpegs() -> Iterator[Kind]:
    for progressive in (False, True):
        title = f"JPEG {'progressive' if progressive else 'baseline'}"
        options: dict[str, Any] = {"kind": "JPEG", "quality": 93, "progressive": progressive}
        for sampling in ("4:2:0", "4:2:2", "4:4:4"):
            make = partial(encode, subsampling=sampling, **options)
            yield Kind(f"{title} {sampling}", "jpg", "image/jpeg", make)
        yield Kind(f"{title} grey", "jpg", "image/jpeg", partial(encode, mode="L", **options))


JPEGS: Final = tuple(_jpegs())

PNGS: Final = tuple(
    Kind(f"PNG {mode}", "png", "image/png", partial(encode, kind="PNG", mode=mode))
    for mode in ("RGB", "RGBA")
)

_WEBP_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "lossy": {"quality": 90, "method": 2},
    "lossless": {"lossless": True, "method": 0, "quality": 30},
    "alpha": {"quality": 90, "method": 2, "mode": "RGBA"},
}

WEBPS: Final = tuple(
    Kind(f"WebP {title}", "webp", "image/webp", partial(encode, kind="WEBP", **options))
    for title, options in _WEBP_OPTIONS.items()
)

AVIF: Final = Kind("AVIF", "avif", "image/avif", partial(encode, kind="AVIF", quality=80, speed=9))

HEIC: Final = Kind("HEIC of tiles", "heic", "image/heic", partial(heic, tile_size=512))
"""In tiles of 512 pixels, as phones write them"""

TIFFS: Final = tuple(
    Kind(
        f"TIFF {'uncompressed' if coding == 'none' else coding}, {layout}",
        "tif",
        "image/tiff",
        partial(_tiff, coding=coding, layout=layout),
    )
    for coding in ("none", "LZW", "deflate", "JPEG")
    for layout in ("strips", "tiles", "one strip")
)

_ONE_STRIP: Final = 1 << 31

SCAN: Final = Kind(
    "TIFF G4 scan", "tif", "image/tiff", partial(_scan, strip_size=_ONE_STRIP), page=True
)
PAGES: Final = Kind(
    "TIFF G4 scan of 20 pages", "tif", "image/tiff", partial(_scan, pages=20), page=True
)


def ordinary_photos() -> list[Photo]:
    """All photos of the table."""
    sized = {
        **dict.fromkeys(JPEGS, ("12", "24", "50", "64", "108")),
        **dict.fromkeys((*WEBPS, AVIF), ("12", "24")),
        HEIC: ("12", "24", "48"),
        **dict.fromkeys(TIFFS, ("24",)),
    }
    photos = [of_megapixels(kind, size) for kind, sizes in sized.items() for size in sizes]
    photos.insert(5, of_megapixels(JPEGS[0], "200"))
    screens = [Photo(kind, size, f"{size[0]} x {size[1]}") for kind in PNGS for size in SCREENS]
    scans = [Photo(SCAN, size, label) for label, size in A4.items()]
    return [*photos, *screens, *scans, Photo(PAGES, A4["300 dpi"], "300 dpi")]


def quick_photos() -> list[Photo]:
    """One of each format, made and decoded within seconds."""
    quick = (JPEGS[0], JPEGS[4], WEBPS[0], AVIF, TIFFS[0], TIFFS[7])
    screens = [Photo(kind, SCREENS[0], "3840 x 2160") for kind in PNGS]
    scan = Photo(SCAN, A4["300 dpi"], "300 dpi")
    return [*(of_megapixels(kind, "12") for kind in quick), *screens, scan]


def of_megapixels(kind: Kind, megapixels: str) -> Photo:
    return Photo(kind, MEGAPIXELS[megapixels], f"{megapixels} MP")
