"""The images in folders, in an order that is always the same."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

EXTENSIONS: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".avif", ".heic", ".heif", ".hif"}
)
"""Of the accepted formats, in lower case"""

_FORMULA: Final = tuple("=+-@\t\r")
"""A spreadsheet takes a cell that begins with one of them for a formula (OWASP, "CSV Injection")"""


@dataclass
class Skipped:
    """The number of files and folders that were left out: hidden ones, links to folders, and files
    without the extension of an image."""

    hidden: int = 0
    linked: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        return self.hidden + self.linked + self.other


def find_images(roots: Sequence[str], skipped: Skipped) -> Iterator[str]:
    """The paths of all images in `roots`, which are files or folders, sorted within each folder.

    A file in `roots` counts as an image, even without the extension of one. Links to files are
    followed, links to folders are not, so there are no loops. A folder that cannot be read is given
    as if it were an image.
    """
    for root in map(_normal, roots):
        if os.path.isdir(root):
            yield from _walk(root, skipped)
        else:
            yield root


def _normal(root: str) -> str:
    """The same path without slashes at the end, and none that a spreadsheet calculates."""
    shortened = root.rstrip("/") or "/"
    return f"./{shortened}" if shortened.startswith(_FORMULA) else shortened


def _walk(root: str, skipped: Skipped) -> Iterator[str]:
    """A million files in one folder take about 100 MB here: names alone are kept, and dropped as
    they are given."""
    stack = [(root, _names(root, skipped))]
    while stack:
        folder, names = stack[-1]
        if names is None:
            yield folder
            stack.pop()
        elif not names:
            stack.pop()
        else:
            name = names.pop()
            path = os.path.join(folder, name)
            if name.endswith("/"):
                path = path.removesuffix("/")
                stack.append((path, _names(path, skipped)))
            else:
                yield path


def _names(folder: str, skipped: Skipped) -> list[str] | None:
    """The images in a folder and, with a slash at the end, its folders, in reverse order for `pop`.
    None if the folder cannot be read."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    skipped.hidden += 1
                elif entry.is_dir(follow_symlinks=False):
                    names.append(f"{entry.name}/")
                elif os.path.splitext(entry.name)[1].lower() not in EXTENSIONS:
                    skipped.other += 1
                elif entry.is_symlink() and os.path.isdir(entry.path):  # is_dir may raise
                    skipped.linked += 1
                else:
                    names.append(entry.name)
    except OSError:
        return None
    names.sort(reverse=True)
    return names
