"""Selection and classes of photos."""

from pathlib import Path

import pytest

from classifier.artifact import Label
from local.models.photos import class_of, find_photos, in_split

LABELS = [Label("tench", "n01440764"), Label("goldfish", "n01443537"), Label("Own Thing", None)]


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("001_n01443537_goldfish.JPEG", 1),
        ("1_n01443537_x.png", 1),
        ("001_n01440764_goldfish.JPEG", None),  # the id is another class's
        ("999_n01443537_goldfish.JPEG", None),
        ("n01440764/a.jpg", 0),
        ("Goldfish/a.jpg", 1),
        ("own thing/a.jpg", 2),
        ("2/a.jpg", 2),
        ("3/a.jpg", None),
        ("a.jpg", None),
    ],
)
def test_class_from_file_name_or_folder(path: str, index: int | None) -> None:
    folder = Path("tench")  # the folder itself says nothing
    assert class_of(folder / path, folder, LABELS) == index


def test_every_fourth_class_is_for_calibration() -> None:
    assert [i for i in range(9) if in_split(i, "calibration")] == [0, 4, 8]
    assert [i for i in range(9) if in_split(i, "evaluation")] == [1, 2, 3, 5, 6, 7]
    assert all(in_split(i, "all") for i in range(9))


def test_photos_are_found_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b.JPEG", "a.png", "notes.txt", "c/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(photo.relative_to(tmp_path)) for photo in find_photos(tmp_path)] == [
        "a.png",
        "b.JPEG",
        "c/d.webp",
    ]


def test_photos_are_those_that_the_classifier_finds_in_folders(tmp_path: Path) -> None:
    for name in ("a.jfif", "b.hif", "._a.jfif", ".thumbnails/c.jpg", "-d/e.mpo"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(photo.relative_to(tmp_path)) for photo in find_photos(tmp_path)]
    assert found == ["-d/e.mpo", "a.jfif", "b.hif"]
