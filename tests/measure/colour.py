"""Predictions for photos in other colour spaces than sRGB: the same as for sRGB?

Each photo is converted into a colour space and saved with its ICC profile. Its prediction is
compared with that of the same photo in sRGB; both are JPEGs of quality 95. The targets come from
the same comparison of JPEGs of quality 85 and 95 in sRGB: a profile may change the predictions no
more than that. The column "ignored" shows the predictions without the profile. Further profiles
have no targets: a press cannot print every colour.

examples:
  python -m tests.measure.colour --photos PHOTOS
  python -m tests.measure.colour --photos PHOTOS --profile press.icc --count 500
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

sys.path.insert(0, "function")

from classifier.images import read_image
from classifier.model import Model, load_model
from local.common.cli import UsageError, whole_number
from local.common.markdown import aligned_table
from local.models.photos import find_photos
from tests.measure.command import run_command
from tests.support import profiles
from tests.support.paths import SHIPPED_MODEL
from tests.support.pictures import encode
from tests.support.profiles import Colours

QUALITY, LOWER_QUALITY = 95, 85
LARGEST: Final = (512, 512)
"""Pixels, so that most time is not that of encoders"""

ROUNDING: Final = 1.25
"""Factor on the difference that JPEG qualities make: eight bits hold fewer colours of sRGB in a
wider space."""
AGREEMENT_SLACK: Final = 0.01
"""Agreement is that of a sample: 1 % of 200 photos is two."""

DOT_GAIN: Final = 0.7
"""Exponent of the ink that is printed: dots of ink spread on paper."""


class Space(NamedTuple):
    """A colour space: its profile, and how sRGB photos get into it."""

    profile: bytes
    convert: Callable[[Image.Image], Image.Image]


class Comparison(NamedTuple):
    """Share of photos with the same most probable class, and half the sum of the differences of
    probabilities, both from 0 to 1."""

    agreement: float
    difference: float


def by_profile(profile: bytes) -> Space:
    """The space of a profile for RGB, grey or CMYK. Raises `ValueError`."""
    target = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(target.profile.xcolor_space.strip())
    if mode is None:
        raise ValueError("it is not one for RGB, grey or CMYK")
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), target, "RGB", mode)
    return Space(profile, transform.apply)


def printed(inks: Colours) -> Colours:
    """The sRGB colours of inks from 0 to 1."""
    covered = inks**DOT_GAIN
    colours: Colours = (1 - covered[:, :3]) * (1 - covered[:, 3:])
    return colours


def to_inks(photo: Image.Image) -> Image.Image:
    """The inverse of `printed`, with black for half of the grey."""
    colours = np.asarray(photo).reshape(-1, 3) / 255
    black = (1 - colours.max(axis=1, keepdims=True)) / 2
    inks = np.concatenate([1 - colours / (1 - black), black], axis=1) ** (1 / DOT_GAIN)
    return Image.frombytes("CMYK", photo.size, np.round(255 * inks).astype(np.uint8).tobytes())


SPACES: Final = {
    "Display P3": by_profile(profiles.DISPLAY_P3),
    "Adobe RGB": by_profile(profiles.ADOBE_RGB),
    "ProPhoto": by_profile(profiles.PROPHOTO),
    "CMYK": Space(profiles.cmyk_profile(printed, points=17), to_inks),
    "grey, gamma 1.8": by_profile(profiles.grey_profile(profiles.gamma_curve(1.8))),
}


def photos(folder: Path, count: int) -> Iterator[Image.Image]:
    """`count` photos of all parts of the folder, without their profiles."""
    found = find_photos(folder)
    for path in found[:: max(1, len(found) // count)][:count]:
        with Image.open(path) as image:
            photo = image.convert("RGB")
        photo.thumbnail(LARGEST)
        photo.info.clear()
        yield photo


def compare(expected: list[NDArray[np.float32]], found: list[NDArray[np.float32]]) -> Comparison:
    pairs = list(zip(expected, found, strict=True))
    return Comparison(
        float(np.mean([left.argmax() == right.argmax() for left, right in pairs])),
        float(np.mean([np.abs(left - right).sum() / 2 for left, right in pairs])),
    )


class Measurement:
    """The probabilities of photos in each space, beside those in sRGB or, of grey, sRGB's greys."""

    def __init__(self, model: Model, pictures: list[Image.Image]) -> None:
        self._model = model
        self._pictures = pictures
        greys = [picture.convert("L") for picture in pictures]
        self._expected = {"RGB": self._all(pictures), "L": self._all(greys)}

    def quality(self) -> Comparison:
        """Of sRGB in the lower quality."""
        found = self._all(self._pictures, quality=LOWER_QUALITY)
        return compare(self._expected["RGB"], found)

    def space(self, space: Space) -> tuple[Comparison, Comparison]:
        """Of a space with its profile, and without it."""
        converted = [space.convert(picture) for picture in self._pictures]
        expected = self._expected["L" if converted[0].mode == "L" else "RGB"]
        applied, ignored = (self._all(converted, profile) for profile in (space.profile, b""))
        return compare(expected, applied), compare(expected, ignored)

    def _all(
        self, pictures: list[Image.Image], profile: bytes = b"", quality: int = QUALITY
    ) -> list[NDArray[np.float32]]:
        return [self._probabilities(picture, profile, quality) for picture in pictures]

    def _probabilities(
        self, picture: Image.Image, profile: bytes, quality: int
    ) -> NDArray[np.float32]:
        data = encode(picture, "JPEG", quality=quality, icc_profile=profile)
        card = self._model.card
        pixels = read_image(
            data,
            card.size,
            card.crop_fraction,
            interpolation=card.interpolation,
            resize=card.resize,
        )
        return self._model.probabilities(pixels)


def row(name: str, profiled: Comparison, ignored: Comparison | None = None) -> list[str]:
    columns = [profiled, ignored] if ignored else [profiled]
    return [name, *(cell for each in columns for cell in cells(each))]


def cells(comparison: Comparison) -> tuple[str, str]:
    return f"{comparison.agreement:.1%}", f"{comparison.difference:.4f}"


def report(measurement: Measurement, further: dict[str, Space]) -> bool:
    """Print the table. Whether each of `SPACES` keeps within the targets."""
    baseline = measurement.quality()
    rows = [row(f"sRGB, quality {LOWER_QUALITY}", baseline)]
    missed = []
    for name, space in (SPACES | further).items():
        applied, ignored = measurement.space(space)
        rows.append(row(name, applied, ignored))
        if name in SPACES and not is_met(applied, baseline):
            missed.append(name)
    print(aligned_table(["", "same class", "difference", "ignored", "difference"], rows))
    print(f"missed: {', '.join(missed)}" if missed else "Every target is met.")
    return not missed


def is_met(applied: Comparison, baseline: Comparison) -> bool:
    return (
        applied.agreement >= baseline.agreement - AGREEMENT_SLACK
        and applied.difference <= ROUNDING * baseline.difference
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.colour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--count", type=whole_number(), default=200, help="photos (default: %(default)s)"
    )
    parser.add_argument(
        "--profile", type=Path, action="append", default=[], help="of a further space; repeatable"
    )
    options = parser.parse_args(arguments)
    try:
        further = {path.stem: by_profile(path.read_bytes()) for path in options.profile}
        pictures = list(photos(options.photos, options.count))
    except (UsageError, OSError, ValueError, ImageCms.PyCMSError) as error:
        parser.error(str(error))
    measurement = Measurement(load_model(str(SHIPPED_MODEL), intra_op_threads=2), pictures)
    return 0 if report(measurement, further) else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
