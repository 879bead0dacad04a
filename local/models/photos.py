"""Photos for calibration and evaluation: selection, classes and pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from classifier.artifact import Label
from classifier.batch.find import EXTENSIONS, Skipped, find_images
from classifier.errors import ImageError
from classifier.images import Resize, read_image
from local.common.cli import UsageError

Split = Literal["all", "calibration", "evaluation"]
SPLITS: Final = get_args(Split)


class PhotosError(UsageError):
    """The folder is not usable; the message says why and what to do."""


@dataclass(frozen=True)
class Preprocessing:
    """Parameters of `classifier.images.read_image`."""

    size: int
    crop_fraction: float = 0.875
    interpolation: str = "bicubic"
    resize: Resize = "crop"


def find_photos(folder: Path) -> list[Path]:
    """The images in `folder` and its subfolders, sorted: those that `python -m classifier` finds.
    Raises `PhotosError`."""
    if not folder.is_dir():
        raise PhotosError(f"There is no folder {folder}. Name a folder of photos.")
    photos = sorted(map(Path, find_images([str(folder)], Skipped())))
    if not photos:
        known = ", ".join(sorted(extension[1:] for extension in EXTENSIONS))
        raise PhotosError(f"The folder {folder} has no photos. Add image files ({known}).")
    return photos


def in_split(index: int, split: Split) -> bool:
    """Whether a photo of class `index` is in `split`: every fourth class is for calibration."""
    return split == "all" or (index % 4 == 0) == (split == "calibration")


def class_of(photo: Path, folder: Path, labels: Sequence[Label]) -> int | None:
    """The class index in the photo's file name or folder, or None.

    A name states it as `INDEX_WNID_anything`, a folder as the class's WordNet id, name or index.
    """
    index, _, rest = photo.name.partition("_")
    known = index.isdecimal() and int(index) < len(labels)
    if known and rest.startswith(f"{labels[int(index)].wnid}_"):
        return int(index)
    parent = photo.parent.name if photo.parent != folder else ""
    return _folder_classes(tuple(labels)).get(_folded(parent))


@cache
def _folder_classes(labels: tuple[Label, ...]) -> dict[str, int]:
    by_index = {str(index): index for index in range(len(labels))}
    by_name = {_folded(label.name): index for index, label in enumerate(labels)}
    by_wnid = {label.wnid: index for index, label in enumerate(labels) if label.wnid}
    return by_index | by_name | by_wnid


def _folded(name: str) -> str:
    """Equal for names that differ in case only, or in whether an accent is a separate character:
    macOS stores file names decomposed."""
    return normalize("NFC", normalize("NFC", name).casefold())


def read_pixels(photos: Sequence[Path], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """uint8 [N, size, size, 3]. Raises `PhotosError` if a photo does not decode."""
    size = preprocessing.size
    pixels = np.empty((len(photos), size, size, 3), np.uint8)
    for number, photo in enumerate(tqdm(photos, "Reading photos", unit="photo", disable=None)):
        try:
            pixels[number] = read_image(
                photo.read_bytes(),
                size,
                preprocessing.crop_fraction,
                interpolation=preprocessing.interpolation,
                resize=preprocessing.resize,
            )
        except (ImageError, OSError) as error:
            raise PhotosError(f"{photo} cannot be used: {error} Or remove the file.") from error
    return pixels
