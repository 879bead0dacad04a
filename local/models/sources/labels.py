"""The names of a model's classes, one per line, in index order."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from classifier.artifact import Label, parse_labels
from local.common.cli import UsageError

_QUALIFIERS: Final = {"n02012849": "bird", "n03126707": "machine"}
"""For ImageNet-1k classes whose only name is also another class's: the two cranes."""


class LabelsError(UsageError):
    """The labels are not usable; the message says why."""


def read_labels(path: Path) -> list[Label]:
    """The labels in a file, read as the service reads it. Raises `LabelsError`."""
    try:
        return parse_labels(path.read_bytes())
    except OSError as error:
        raise LabelsError(f"The labels file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise LabelsError(f"The labels file {path} cannot be used: {error}") from error


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Write `labels` to `path`, in UTF-8 without a byte order mark, with LF. Raises `OSError`."""
    lines = (
        f"{label.wnid}\t{label.name}\n" if label.wnid else f"{label.name}\n" for label in labels
    )
    path.write_bytes("".join(lines).encode())


def imagenet_labels(synsets: str, lemmas: str) -> list[Label]:
    """The classes of ImageNet-1k, named by the first lemma that no other class begins with.

    synsets: one WordNet id per line, in index order. lemmas: lines `wnid<TAB>lemma, lemma, ...`.
    """
    lemma_lines = (line.split("\t", 1) for line in lemmas.splitlines())
    by_wnid = {wnid: [lemma.strip() for lemma in text.split(",")] for wnid, text in lemma_lines}
    classes = {wnid: by_wnid[wnid] for wnid in synsets.split()}
    return [Label(_unique_name(wnid, classes), wnid) for wnid in classes]


def _unique_name(wnid: str, classes: Mapping[str, list[str]]) -> str:
    first, *others = classes[wnid]
    rivals = [
        lemmas
        for other, lemmas in classes.items()
        if other != wnid and lemmas[0].casefold() == first.casefold()
    ]
    if not rivals:
        return first
    if others:  # "cardigan" is the jacket, which has no other name; the dog gets its second name
        return others[0]
    if all(len(lemmas) > 1 for lemmas in rivals):
        return first
    return f"{first} ({_QUALIFIERS.get(wnid, wnid)})"
