"""Reads members of a JSON object, and names the file and the member that are wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

from local.models.exports.export import ExportError

_COLOURS: Final = 3

_LARGEST: Final = 1e30
"""More than any number of an export"""


class Members:
    """The members of an object in the file `name`; `prefix` comes before theirs in messages."""

    def __init__(self, content: Mapping[str, Any], name: str, prefix: str = "") -> None:
        self.content = content
        self.name = name
        self._prefix = prefix

    def __contains__(self, member: str) -> bool:
        return self.content.get(member) is not None

    def source(self, member: str) -> str:
        """Where the member is, for a person."""
        return f"{self._prefix}{member} in {self.name}"

    def value(self, member: str) -> Any:
        """Of any type; None if it is absent."""
        return self.content.get(member)

    def inner(self, member: str) -> "Members":
        """Of the object that is the member's value. Raises `ExportError`."""
        value = self.content.get(member)
        if not isinstance(value, Mapping):
            raise self.error(member, "an object")
        return Members(value, self.name, f"{self._prefix}{member}.")

    def flag(self, member: str, default: bool) -> bool:
        """True or false; null is the default. Raises `ExportError`."""
        value = self.content.get(member)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(member, "true or false")
        return value

    def number(self, member: str, default: float | None = None) -> float:
        """More than 0. Raises `ExportError`, also if it is absent and `default` is None."""
        value = self.content.get(member)
        if value is None and default is not None:
            return default
        if not _is_number(value) or value <= 0:
            raise self.error(member, "a number of more than 0")
        return value

    def whole(self, member: str) -> int:
        """1 or more. Raises `ExportError`."""
        value = self.number(member)
        if value != int(value):
            raise self.error(member, "a whole number")
        return int(value)

    def colours(self, member: str) -> tuple[float, ...]:
        """Three numbers, in the order R, G, B; one stands for three. Raises `ExportError`."""
        value = self.content.get(member)
        parts = value if isinstance(value, list) else [value]
        numbers = [float(part) for part in parts if _is_number(part)]
        if len(numbers) != len(parts) or len(parts) not in (1, _COLOURS):
            raise self.error(member, "three numbers, because the service's images have colours")
        return tuple(numbers * _COLOURS if len(numbers) == 1 else numbers)

    def error(self, member: str, wanted: str) -> ExportError:
        """That the member must be `wanted`."""
        found = json.dumps(self.content.get(member), default=str)
        return ExportError(
            f"{self.source(member)} must be {wanted}, and is {found[:80]}. Correct the file."
        )


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether it is finite: JSON of Python may have NaN and Infinity."""
    return not isinstance(value, bool) and isinstance(value, int | float) and abs(value) < _LARGEST


def read_json(path: Path) -> Members:
    """The object in a file. Raises `ExportError`."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} is not valid JSON: {error}. Export it again.") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path} is not a JSON object. Export it again.")
    return Members(content, path.name)
