"""Memory that the service reserves for an image, against what reading it takes.

    python -m tests.measure.estimates [--json FILE]

Photos of every kind are read in several sizes, each kind in a process of its own, as the service
reads them. The figure is the reservation divided by the measured peak beside the file: less than 1
would let a full container be killed, more than 1.25 would refuse photos that fit. 4 MiB more are
allowed, which count for small photos only. Then all malformed files of tests/hostile/corpus are
read: none may take more than was reserved, or 16 MiB if it is refused before.
"""

import argparse
import gc
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image
from tqdm import tqdm

from local.benchmark.photos import kinds
from local.benchmark.photos.cache import PhotoCache
from local.benchmark.photos.kinds import EncoderMissing, Kind, Photo, Size
from local.benchmark.photos.pictures import Picture
from local.common.cli import OneLineParser, UsageError, check_outputs
from local.common.cli import main as run_main
from local.common.machine import when_and_where
from local.common.paths import SAMPLE
from local.common.verdict import Threshold, add_gross_option, conclude, machine
from tests.hostile import corpus
from tests.measure.peaks import CLEAR_REFS, Cost, be_quiet, cost
from tests.support.pictures import encode

SIZES: Final = ("1", "3", "12", "24", "48")
QUICK_SIZES: Final = ("1", "12")
"""Megapixels"""

RATIO: Final = 1.25
ALLOWANCE: Final = 4 << 20
"""Bytes (4 MiB). Rows on their way, and pages that an allocator rounds up to: more than a quarter
of what a small photo takes."""

FILL: Final = (600, 450)
"""Of the photo that loads a decoder's code before the measurement"""

LOWEST: Final = "lowest reserved / measured"
HIGHEST: Final = "highest reserved / measured"
REFUSED: Final = "photos that are refused"
UNDER: Final = "malformed files that take more"

TARGETS: Final = (
    Threshold(LOWEST, 1, at_least=True),
    Threshold(HIGHEST, RATIO),
    Threshold(REFUSED, 0),
    Threshold(UNDER, 0),
)

EXAMPLES: Final = """\
examples:
  python -m tests.measure.estimates
  python -m tests.measure.estimates --only PNG --no-corpus
  python -m tests.measure.estimates --quick --gross
"""


def _saved(picture: Picture, size: Size, *, mode: str, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.photo(size).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _png_of_16_bits(picture: Picture, size: Size) -> bytes:
    grey = picture.photo(size, "L").convert("I").point(lambda level: level * 257)
    buffer = BytesIO()
    grey.convert("I;16").save(buffer, "PNG")
    return buffer.getvalue()


def _tiff_of_scans(mode: str, compression: str | None) -> Callable[[Picture, Size], bytes]:
    return partial(_saved, mode=mode, kind="TIFF", compression=compression)


OTHERS: Final = (
    *(
        Kind(f"PNG {mode}", "png", "image/png", partial(_saved, mode=mode, kind="PNG"))
        for mode in ("1", "L", "LA", "P")
    ),
    Kind("PNG grey of 16 bits", "png", "image/png", _png_of_16_bits),
    *(
        Kind(f"GIF {mode}", "gif", "image/gif", partial(_saved, mode=mode, kind="GIF"))
        for mode in ("P", "L")
    ),
    *(
        Kind(f"BMP {mode}", "bmp", "image/bmp", partial(_saved, mode=mode, kind="BMP"))
        for mode in ("RGB", "RGBA", "P", "1")
    ),
    Kind("JPEG CMYK", "jpg", "image/jpeg", partial(_saved, mode="CMYK", kind="JPEG", quality=90)),
    Kind(
        "WebP lossless alpha",
        "webp",
        "image/webp",
        partial(kinds.encode, kind="WEBP", mode="RGBA", lossless=True, method=0, quality=30),
    ),
    Kind(
        "AVIF alpha",
        "avif",
        "image/avif",
        partial(kinds.encode, kind="AVIF", mode="RGBA", quality=80, speed=9),
    ),
    Kind(
        "AVIF 4:4:4",
        "avif",
        "image/avif",
        partial(kinds.encode, kind="AVIF", subsampling="4:4:4", quality=80, speed=9),
    ),
    Kind("HEIC in one piece", "heic", "image/heic", kinds.heic),
    *(
        Kind(f"TIFF {mode} {name}", "tif", "image/tiff", _tiff_of_scans(mode, compression))
        for mode in ("L", "P", "CMYK", "RGBA")
        for name, compression in (("uncompressed", None), ("LZW", "tiff_lzw"))
    ),
)
"""Kinds that few people have"""

KINDS: Final[tuple[Kind, ...]] = (
    *kinds.JPEGS, *kinds.PNGS, *kinds.WEBPS, kinds.AVIF, kinds.HEIC, *kinds.TIFFS, kinds.SCAN,
    *OTHERS,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One photo: bytes of the file, of the measured peak beside it, and of the reservation."""

    kind: str
    label: str
    file: int
    measured: int
    reserved: int
    error: str = ""

    @property
    def ratio(self) -> float:
        return self.reserved / max(self.measured, 1)

    @property
    def judged(self) -> float:
        """The ratio, without up to `ALLOWANCE` of what is reserved too much."""
        excess = max(0, self.reserved - self.measured)
        return (self.reserved - min(excess, ALLOWANCE)) / max(self.measured, 1)

    def __str__(self) -> str:
        sizes = (self.file, self.measured, self.reserved)
        text = f"{self.kind:30} {self.label:>6}" + "".join(f"{size / 1e6:9.1f}" for size in sizes)
        word = "" if 1 <= self.judged <= RATIO else "missed"
        return f"{text} {self.ratio:7.2f} {word or ''}{self.error}".rstrip()

    def to_json(self) -> Mapping[str, Any]:
        return {
            "kind": self.kind,
            "size": self.label,
            "file_bytes": self.file,
            "measured_bytes": self.measured,
            "reserved_bytes": self.reserved,
            "ratio": round(self.ratio, 3),
            **({"error": self.error} if self.error else {}),
        }


def measure_photos(chosen: Sequence[Kind], sizes: Sequence[str]) -> tuple[list[Row], list[str]]:
    """A row for each kind and size, and a line for each kind that cannot be made here."""
    cache = PhotoCache(SAMPLE.read_bytes())
    rows, missing = [], []
    for kind in tqdm(chosen, unit="kind", disable=None, leave=False):
        photos = [Photo(kind, kinds.MEGAPIXELS[size], f"{size} MP") for size in sizes]
        try:
            files = {photo.label: cache.read(photo) for photo in photos}
            warm = kind.make(cache.picture, FILL)
        except EncoderMissing as error:
            missing.append(f"{kind.title}: not made, it needs {error}")
            continue
        for found in _in_own_process(_costs, warm, files):
            size = len(files[found.name])
            rows.append(
                Row(kind.title, found.name, size, found.memory, found.reserved, found.error)
            )
            tqdm.write(str(rows[-1]))
    return rows, missing


def _costs(warm: bytes, files: Mapping[str, bytes]) -> list[Cost]:
    be_quiet()
    cost("", warm)
    return [cost(name, data) for name, data in files.items()]


@dataclass(frozen=True)
class Malformed:
    """The files of one maker: their number, those that took more than was reserved, and those for
    which twice as much was reserved as they took, because decoding stopped early."""

    maker: str
    files: int
    over: Sequence[Cost]
    early: int


def measure_corpus(*, quick: bool) -> list[Malformed]:
    found = []
    # Not in the processes that measure: encoders keep memory, too.
    photo = Picture.read(SAMPLE.read_bytes()).photo(FILL)
    ordinary = [encode(photo, kind, **options) for kind, options in corpus.KINDS.items()]
    makers = [make.__name__ for make in corpus.MAKERS]
    for maker in tqdm(makers, desc="malformed", unit="maker", disable=None, leave=False):
        found.append(_in_own_process(_malformed, maker, ordinary, quick))
    return found


def _malformed(maker: str, ordinary: list[bytes], quick: bool) -> Malformed:
    be_quiet()
    for data in ordinary:  # loads the code of each decoder
        cost("ordinary", data)
    gc.freeze()  # the collections before each file skip the objects of the imports
    (make,) = (make for make in corpus.MAKERS if make.__name__ == maker)
    files, over, early = 0, [], 0
    for name, data in corpus.quick_files(make) if quick else make():
        found = cost(name, data)
        files += 1
        if found.excess > 0:
            over.append(found)
        early += bool(found.error) and found.reserved > 2 * found.memory
    return Malformed(maker, files, over, early)


def _in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as own:
        return own.submit(function, *arguments).result()


def verdict_figures(rows: Sequence[Row], malformed: Sequence[Malformed]) -> Mapping[str, float]:
    """A value for each of `TARGETS`."""
    accepted = [row.judged for row in rows if not row.error]
    return {
        LOWEST: min(accepted, default=1.0),
        HIGHEST: max(accepted, default=1.0),
        REFUSED: sum(bool(row.error) for row in rows),
        UNDER: sum(len(each.over) for each in malformed),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if not CLEAR_REFS.exists():
        raise UsageError("Peak memory is read from /proc, which only Linux has.")
    check_outputs(options.json)
    Image.MAX_IMAGE_PIXELS = None
    words = [word.lower() for word in options.only or ()]
    chosen = [kind for kind in KINDS if all(word in kind.title.lower() for word in words)]
    if not chosen:
        raise UsageError(f"No kind has {' and '.join(options.only)} in its name.")
    print(machine(), flush=True)
    heads = "".join(f"{head:>9}" for head in ("file MB", "measured", "reserved"))
    print(f"{'kind':30} {'size':>6}{heads} {'ratio':>7}", flush=True)
    rows, missing = measure_photos(chosen, QUICK_SIZES if options.quick else SIZES)
    malformed = [] if options.no_corpus else measure_corpus(quick=options.quick)
    for line in (*missing, *_described(malformed)):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(_figures(rows, missing, malformed), indent=2) + "\n")
    return conclude([verdict_figures(rows, malformed)], TARGETS, gross=options.gross)


def _described(malformed: Sequence[Malformed]) -> Iterator[str]:
    for each in malformed:
        early = f", {each.early} stopped early" if each.early else ""
        yield f"{each.maker}: {each.files} malformed files{early}"
        for found in each.over:
            yield (
                f"  {found.name}: took {found.memory / 1e6:.1f} MB, reserved "
                f"{found.reserved / 1e6:.1f} MB {found.error[:100]}"
            )


def _figures(
    rows: Sequence[Row], missing: Sequence[str], malformed: Sequence[Malformed]
) -> Mapping[str, Any]:
    return {
        **when_and_where(),
        "photos": [row.to_json() for row in rows],
        "missing": list(missing),
        "malformed_files": sum(each.files for each in malformed),
        "malformed_over": sum(len(each.over) for each in malformed),
    }


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m tests.measure.estimates",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", action="append", metavar="WORD", help="kinds with this in their name")
    add("--no-corpus", action="store_true", help="no malformed files")
    add("--quick", action="store_true", help="1 and 12 megapixels, and files that are quickly made")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
