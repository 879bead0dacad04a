"""Errors of events that are not HTTP requests. They fail the invocation, and name the cause."""

from typing import Final, Self

_SHOWN_KEYS: Final = 10


class UnknownEvent(ValueError):
    """An event of a source that the function does not take."""


class MalformedEvent(ValueError):
    """An event that lacks what events of its source have."""

    @classmethod
    def at(cls, path: str, expected: str, found: object) -> Self:
        """`path` names the value `found` in the event."""
        return cls(f"{path} must be {expected}; it is {outline(found)}.")


class OutOfTime(Exception):
    """The invocation ends before another photo could be classified."""


def outline(value: object) -> str:
    """What kind of value this is, without its content: that may be large or secret."""
    if isinstance(value, dict):
        return f"an object with the keys {sorted(map(str, value))[:_SHOWN_KEYS]}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, bool):
        return "a boolean"
    return "null" if value is None else "a number"
