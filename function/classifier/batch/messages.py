"""What a worker process says first. Then it receives `(number, path)` and sends `(number, row)`."""

from typing import NamedTuple


class Ready(NamedTuple):
    """The first message of a worker: the name of its model, and the number of its classes."""

    model: str
    classes: int


class Refused(NamedTuple):
    """The first message of a worker that cannot start: a line for the user."""

    reason: str
