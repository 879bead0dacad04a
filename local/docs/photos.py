"""Ordinary photos with little memory, and the estimates of the memory that they take."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from local.benchmark.photos import tables
from local.common.markdown import table
from local.docs.measurements import MEASURED, where

Figures = Mapping[str, Any]


def _read(name: str) -> Figures:
    figures: Figures = json.loads((MEASURED / name).read_text("utf-8"))
    return figures


def photos_table() -> str:
    """A row for each photo."""
    figures = _read("photos.json")
    text = table(tables.header(figures), tables.rows(figures), numbers_from=1)
    return f"{text}\n\n{where(figures)}. {tables.note(figures)}"


def estimates_table() -> str:
    """The lowest and the highest estimate of each kind of image, beside what it takes."""
    figures = _read("estimates.json")
    header = ("image", "sizes", "MB for the largest", "lowest estimate", "highest estimate")
    text = table(header, _estimates(figures["photos"]), numbers_from=1)
    notes = [f"{where(figures)}.", *(f"{line}." for line in figures["missing"])]
    if figures["malformed_files"]:
        notes.append(
            f"Of {figures['malformed_files']:,} malformed files, {figures['malformed_over']} took "
            "more memory than estimated."
        )
    return f"{text}\n\n{' '.join(notes)}"


def _estimates(photos: Sequence[Figures]) -> Iterator[tuple[str, ...]]:
    for kind, same in groupby(photos, lambda photo: str(photo["kind"])):
        rows = list(same)
        accepted = [row for row in rows if "error" not in row]
        if not accepted:
            yield (kind, "not accepted", "", "", "")
            continue
        ratios = [row["ratio"] for row in accepted]
        largest = accepted[-1]
        yield (
            kind,
            f"{accepted[0]['size']} to {largest['size']}",
            f"{largest['measured_bytes'] / 1e6:.0f}",
            f"{min(ratios):.2f}",
            f"{max(ratios):.2f}",
        )
