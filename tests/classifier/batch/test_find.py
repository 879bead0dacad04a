"""Which files of a folder are images, and in which order."""

import os
from itertools import islice
from pathlib import Path

import pytest

from classifier.batch.find import EXTENSIONS, Skipped, find_images
from classifier.images import FORMATS


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(*roots: object) -> list[str]:
    return list(find_images([str(root) for root in roots], Skipped()))


def test_images_are_sorted_in_each_folder_and_among_its_folders(tmp_path: Path) -> None:
    tree(tmp_path, "b.jpg", "a/z.png", "a/b/1.gif", "c/0.webp", "A.heic")
    names = [os.path.relpath(path, tmp_path) for path in found(tmp_path)]
    assert names == ["A.heic", "a/b/1.gif", "a/z.png", "b.jpg", "c/0.webp"]


def test_paths_begin_with_the_folder_as_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert found("photos") == found("photos//") == ["photos/a.jpg"]
    assert found(".") == ["./photos/a.jpg"]
    assert found("photos/a.jpg", "photos") == ["photos/a.jpg", "photos/a.jpg"]


@pytest.mark.parametrize("name", ["=1+2.jpg", "+1.jpg", "-1.jpg", "@a.jpg", "\t.jpg"])
def test_no_path_is_a_formula_for_a_spreadsheet(name: str) -> None:
    assert found(name) == [f"./{name}"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    tree(tmp_path, ".a.jpg", ".git/b.jpg", "c.txt", "d", "sub/e.xmp", "sub/f.JPEG", "g.d/h.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "sub")
    skipped = Skipped()
    paths = list(find_images([str(tmp_path)], skipped))
    assert [Path(path).name for path in paths] == ["h.jpg", "f.JPEG"]
    assert skipped == Skipped(hidden=2, linked=1, other=3)
    assert skipped.total == 6


def test_links_to_folders_are_not_followed_but_links_to_files_are(tmp_path: Path) -> None:
    tree(tmp_path, "photos/a.jpg")
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "b.jpg").symlink_to(tmp_path / "photos" / "a.jpg")
    (tmp_path / "named").symlink_to(tmp_path / "photos")
    assert [Path(path).name for path in found(tmp_path / "photos")] == ["a.jpg", "b.jpg"]
    assert found(tmp_path / "named") == [f"{tmp_path}/named/a.jpg", f"{tmp_path}/named/b.jpg"]


def test_links_that_lead_nowhere_are_given_and_hide_no_other_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert [Path(path).name for path in found(tmp_path)] == ["a.jpg", "circle.jpg", "gone.jpg"]


def test_a_folder_that_cannot_be_read_is_given_like_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row then has the reason. The system's refusal is imitated: tests may run as root."""
    tree(tmp_path, "a/1.jpg", "b/2.jpg")
    scan = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(tmp_path) == [f"{tmp_path}/a", f"{tmp_path}/b/2.jpg"]


def test_folders_are_read_when_their_turn_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the first results do not wait for the whole tree, and nor does memory grow with it."""
    tree(tmp_path, "a/1.jpg", "b/2.jpg")
    scan = os.scandir
    read: list[str] = []

    def note(path: str) -> object:
        read.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", note)
    assert list(islice(find_images([str(tmp_path)], Skipped()), 1)) == [f"{tmp_path}/a/1.jpg"]
    assert read == [str(tmp_path), f"{tmp_path}/a"]


def test_the_usual_extensions_of_every_accepted_format_are_known() -> None:
    usual = {
        "JPEG": ".jpg .jpeg",
        "PNG": ".png",
        "WEBP": ".webp",
        "GIF": ".gif",
        "BMP": ".bmp",
        "TIFF": ".tif .tiff",
        "AVIF": ".avif",
        "HEIF": ".heic .heif",
    }
    assert set(usual) == set(FORMATS)
    assert {each for names in usual.values() for each in names.split()} <= EXTENSIONS
