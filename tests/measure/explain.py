"""Whether the class activation map shows where the model looks: the occlusion check.

In the pixels that the model gets, a square around the hottest cell of the map is covered, and then
one around the coldest. The figure is the share of photos whose first class loses more probability
by the first cover than by the second. Controls are maps that are wrong: the photo's map mirrored
or transposed, and the map of another photo. They show what a map would get that only knew that
most objects are near the centre.

The verdict: with each cover of two and three cells, the map is right on more photos than each
control, by a difference that chance excludes (sign test, p < 0.001), and its hottest cells lose
more than its coldest. A cell depends on an area that is much larger than the cell, so a cover of
one cell hides too little to decide with some hundreds of photos. The target of 90 % is printed
beside the shares, and not part of the verdict.

examples:
  python -m tests.measure.explain --photos PHOTOS
  python -m tests.measure.explain --photos PHOTOS --split all --model my-model

exit status: 0 the map is better than the controls, 1 it is not, 2 invalid command
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, "function")

from classifier.artifact import LABELS_FILE, ArtifactError, Label
from classifier.model import Model, load_model
from local.common.cli import OneLineParser, UsageError, whole_number
from local.common.cli import main as run_main
from local.common.markdown import aligned_table
from local.common.verdict import machine
from local.models.labelled import labelled_photos
from local.models.parity.settings_check import sign_test
from local.models.photos import SPLITS, Preprocessing, Split, find_photos, read_pixels
from local.models.sources.labels import read_labels
from tests.support.paths import SHIPPED_MODEL

Grid = NDArray[np.float64]
Pixels = NDArray[np.uint8]

TARGET: Final = 0.9
"""Share of photos. A cover of one cell misses it."""

CHANCE: Final = 0.001
"""The sign test's largest p. A wrong map must pass the tests of several covers, so it passes less
often than that."""

DECIDING_CELLS: Final = 2
"""The smallest cover of the verdict"""

CERTAINTY: Final = 1.96
"""Standard deviations to both sides of a normal distribution's mean: 95 %"""

GREY: Final = 127
"""The mean of the pixels with which the shipped model was trained"""

OWN: Final = "map"


class Cover(NamedTuple):
    """A square around the centre of a cell: its side in cells, and its colour."""

    cells: int
    mean: bool
    """Filled with the mean colour of the photo, else with grey"""


COVERS: Final = tuple(Cover(cells, mean) for cells in (1, 2, 3) for mean in (True, False))


class Losses(NamedTuple):
    """By how much the probability of the first class falls under a cover, -1 to 1; [photos]."""

    hottest: Grid
    coldest: Grid

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the hottest cell matters more than the coldest; equal losses do not count."""
        return self.hottest > self.coldest


Results = Mapping[Cover, Mapping[str, Losses]]
"""By cover and name of the map: the photo's own, and the controls"""


class Occlusion:
    """The losses of one photo of pixels [size, size, 3] under covers around the cells of a grid."""

    def __init__(self, model: Model, pixels: Pixels) -> None:
        """Raises `IndexError` if the model has no first class."""
        self._model = model
        self._pixels = pixels
        (first,), rows = model.predict_and_explain(pixels, 1)
        self.grid: Grid = np.array(rows)
        self._index = first["index"]
        self._whole = model.probabilities(pixels)[self._index]
        self._known: dict[tuple[Cover, int, int], float] = {}

    def loss(self, cover: Cover, row: int, column: int) -> float:
        """Of the probability of the first class, if a cell is covered."""
        key = cover, row, column
        if key not in self._known:
            covered = hidden(self._pixels, cover, self.grid.shape, row, column)
            left = self._model.probabilities(covered)[self._index]
            self._known[key] = float(self._whole - left)
        return self._known[key]

    def losses(self, cover: Cover, grid: Grid) -> tuple[float, float]:
        """Of the hottest cell of `grid`, and of the coldest."""
        cells = (np.unravel_index(cell, grid.shape) for cell in (grid.argmax(), grid.argmin()))
        hottest, coldest = (self.loss(cover, int(row), int(column)) for row, column in cells)
        return hottest, coldest


def hidden(pixels: Pixels, cover: Cover, cells: tuple[int, ...], row: int, column: int) -> Pixels:
    """A copy of the pixels [size, size, 3] whose cell of a grid of `cells` rows and columns is
    under the cover, which ends at the edges of the photo."""
    copy = pixels.copy()
    rows, columns = (
        _side(cover, at, length / count)
        for at, length, count in zip((row, column), pixels.shape, cells, strict=False)
    )
    copy[rows, columns] = pixels.mean((0, 1)).round() if cover.mean else GREY
    return copy


def _side(cover: Cover, at: int, cell: float) -> slice:
    """The pixels of one dimension that are covered; `cell` is the length of one cell."""
    middle, half = (at + 0.5) * cell, cover.cells * cell / 2
    return slice(max(0, round(middle - half)), round(middle + half))


def with_controls(grid: Grid, other: Grid) -> dict[str, Grid]:
    """The map of a photo, and maps that are wrong; `other` is that of another photo."""
    return {OWN: grid, "mirrored": grid[:, ::-1], "transposed": grid.T, "another": other}


def measure(model: Model, pixels: Sequence[Pixels], covers: Iterable[Cover] = COVERS) -> Results:
    """Of photos [size, size, 3]. The other photo of each is half of the list away: photos of a
    class are next to each other."""
    photos = [Occlusion(model, each) for each in pixels]
    found: dict[Cover, dict[str, list[tuple[float, float]]]] = {cover: {} for cover in covers}
    for number, photo in enumerate(tqdm(photos, "Covering cells", unit="photo", disable=None)):
        other = photos[(number + len(photos) // 2) % len(photos)].grid
        for name, grid in with_controls(photo.grid, other).items():
            for cover, results in found.items():
                results.setdefault(name, []).append(photo.losses(cover, grid))
    return {
        cover: {name: Losses(*np.array(pairs).T) for name, pairs in results.items()}
        for cover, results in found.items()
    }


def interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share, `right` of `count` photos (Wilson, "Probable
    Inference, the Law of Succession, and Statistical Inference", 1927)."""
    spread = CERTAINTY**2 / count
    share = right / count
    middle = share + spread / 2
    half = (spread * (share * (1 - share) + spread / 4)) ** 0.5
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def chance(own: NDArray[np.bool_], control: NDArray[np.bool_]) -> float:
    """The probability that as many or more of the photos on which the two differ are for `own`, if
    each were as likely to be for the control (one-sided sign test)."""
    return sign_test(int((own & ~control).sum()), int((control & ~own).sum()))


def is_better(results: Mapping[str, Losses]) -> bool:
    """Whether the map of one cover's results is right, by the rule of the verdict."""
    own = results[OWN]
    controls = [losses for name, losses in results.items() if name != OWN]
    return bool(
        all(chance(own.right, control.right) < CHANCE for control in controls)
        and own.hottest.mean() > own.coldest.mean()
        and all(own.hottest.mean() > control.hottest.mean() for control in controls)
    )


def report(results: Results, cell: float) -> bool:
    """Print the table; `cell` is the width of a cell in pixels. Whether every cover of the verdict
    shows that the map is better than the controls."""
    first = next(iter(results.values()))
    header = ["cover", "map", "95 %", *[name for name in first if name != OWN]]
    rows = [_row(cover, found, cell) for cover, found in results.items()]
    print(aligned_table([*header, "p", "loss hottest", "coldest", f"≥ {TARGET:.0%}"], rows))
    deciding = {cover: each for cover, each in results.items() if cover.cells >= DECIDING_CELLS}
    worse = [_name(cover, cell) for cover, found in deciding.items() if not is_better(found)]
    if worse:
        print(f"Not better than the wrong maps: {'; '.join(worse)}.")
    else:
        print("With the larger covers, the map is better than the wrong maps.")
    return not worse


def _row(cover: Cover, found: Mapping[str, Losses], cell: float) -> list[str]:
    shares = {name: float(losses.right.mean()) for name, losses in found.items()}
    own = found[OWN]
    low, high = interval(int(own.right.sum()), own.right.size)
    p = max(chance(own.right, losses.right) for name, losses in found.items() if name != OWN)
    return [
        _name(cover, cell),
        f"{shares[OWN]:.1%}",
        f"{low:.1%} to {high:.1%}",
        *(f"{share:.1%}" for name, share in shares.items() if name != OWN),
        f"{p:.2g}",
        f"{own.hottest.mean():.3f}",
        f"{own.coldest.mean():.3f}",
        "met" if shares[OWN] >= TARGET else "missed",
    ]


def _name(cover: Cover, cell: float) -> str:
    return f"{cover.cells * cell:.0f} px, {'mean colour' if cover.mean else 'grey'}"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        model = load_model(str(options.model))
    except ArtifactError as error:
        raise UsageError(str(error)) from None
    if not model.explains:
        raise UsageError(
            f"The model in {options.model} has no class activation map. Build it again, or name "
            "another with --model."
        )
    card = model.card
    photos = _photos(options.photos, options.split, read_labels(options.model / LABELS_FILE))
    photos = photos[:: -(-len(photos) // options.count)]
    preprocessing = Preprocessing(card.size, card.crop_fraction, card.interpolation, card.resize)
    print(machine(), flush=True)
    pixels = read_pixels(photos, preprocessing)
    print(f"{card.name}, {len(photos)} photos ({options.split})", flush=True)
    columns = len(model.predict_and_explain(pixels[0], 1)[1][0])
    return 0 if report(measure(model, list(pixels)), card.size / columns) else 1


def _photos(folder: Path, split: Split, labels: Sequence[Label]) -> list[Path]:
    return find_photos(folder) if split == "all" else labelled_photos(folder, split, labels)[0]


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m tests.measure.explain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--photos", type=Path, required=True, metavar="FOLDER", help="a folder of photos")
    add("--split", choices=SPLITS, default="evaluation", help="default: %(default)s")
    add("--model", type=Path, default=SHIPPED_MODEL, metavar="FOLDER", help="default: shipped")
    add("--count", type=whole_number(), default=1000, help="photos at most (default: %(default)s)")
    return parser


if __name__ == "__main__":
    run_main(main)
