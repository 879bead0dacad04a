"""An export of another library: its ONNX file, and the options of the build that it states."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from classifier.artifact import Label
from local.common.cli import UsageError

_WORDNET_ID: Final = re.compile(r"n\d{8}")


class ExportError(UsageError):
    """The export is not usable; the message says why and what to do."""


class Stated(NamedTuple):
    """The value of an option, and where it was found."""

    value: Any
    source: str


class Refused(NamedTuple):
    """In place of a value that the service cannot have. `reason` says what to do.

    It is an error only if no option replaces the value.
    """

    reason: str


@dataclass(frozen=True)
class Export:
    """The ONNX file, and values by the name of their option: `size`, `crop_fraction`, ...

    Values have the types that the options have, except `labels`: a list of `Label`.
    """

    onnx: Path
    values: Mapping[str, Stated] = field(default_factory=dict[str, Stated])


def read_labels_of(names: Any, source: str) -> list[Label]:
    """The classes in index order; names: a list, or a dictionary of 0, 1, ... (or "0", "1", ...).

    A name that is a WordNet id remains so, for `described`. Raises `ExportError`.
    """
    if isinstance(names, Mapping):
        try:
            by_index = {int(index): name for index, name in names.items()}
        except (TypeError, ValueError):
            by_index = {}
        if sorted(by_index) != list(range(len(names))):
            raise ExportError(
                f"{source} does not name the classes 0, 1, 2, ... Name the others, or use --labels."
            )
        names = [by_index[index] for index in range(len(names))]
    if not isinstance(names, list | tuple) or not names:
        raise ExportError(f"{source} is not a list of class names. Use --labels.")
    labels = [Label(" ".join(str(name).split()), None) for name in names]  # a tab follows an id
    if not all(label.name for label in labels):
        raise ExportError(f"{source} has a class without a name. Name it, or use --labels.")
    return labels


def described(labels: Iterable[Label], descriptions: Mapping[str, Any]) -> list[Label]:
    """The labels with the names that `descriptions` has for WordNet ids."""
    return [
        Label(" ".join(str(descriptions[label.name]).split()), label.name)
        if _WORDNET_ID.fullmatch(label.name) and descriptions.get(label.name)
        else label
        for label in labels
    ]
