"""The path of a file -> its row: the path, and the result or the problem of the image."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from classifier.batch.rows import Row
from classifier.classifier import Classifier
from classifier.errors import (
    ImageError,
    InternalError,
    ServiceError,
    TooManyUploads,
    UnreadableFile,
    UploadTooLarge,
)
from classifier.images import MemoryBudget
from classifier.outcome import Outcome, result_json

_RETRY_SECONDS: Final = 0.05
"""Decoders free memory as well, without a notification: a thread looks again after this time."""


class FileClassifier:
    """Reads and classifies files, with the service's limits. May be called from several threads."""

    def __init__(self, classifier: Classifier, *, max_bytes: int, top_k: int) -> None:
        """`max_bytes` is the largest file that is read."""
        self._classifier = classifier
        self._room = _Room(classifier.memory)
        self._max_bytes = min(max_bytes, classifier.memory.bodies)
        self._top_k = top_k

    def __call__(self, path: str) -> Row:
        """The row of the file at `path`. Never raises: whatever fails is the problem of the row."""
        try:
            outcome = self._classify(path)
        except ServiceError as error:
            outcome = error
        except Exception as error:
            print(f"{path!r}: {type(error).__name__}: {error}", file=sys.stderr)
            outcome = InternalError()
        return {"path": path, **result_json(outcome, self._classifier.model.card.name)}

    def _classify(self, path: str) -> Outcome:
        try:
            file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115
        except OSError as error:
            raise UnreadableFile(str(error.strerror)) from None
        with file:
            size = self._size(file)
            with self._room.hold(size):
                data = _read(file, size)
                try:
                    return self._classifier.classify(data, self._top_k)
                except ImageError as error:
                    return error

    def _size(self, file: BinaryIO) -> int:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("It is not a regular file")
        if status.st_size > self._max_bytes:
            raise UploadTooLarge(
                f"The file has {status.st_size / 2**20:.4g} MiB; at most "
                f"{self._max_bytes / 2**20:.4g} MiB are accepted. Make the image smaller: the "
                "model sees only a few hundred pixels per side."
            )
        return status.st_size


class _Room:
    """The memory for encoded images. A thread waits until there is enough for its own; bodies leave
    room for decoding the largest image (`MemoryBudget`), so it does not wait forever."""

    def __init__(self, memory: MemoryBudget) -> None:
        self._memory = memory
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """`size` is in bytes, at most `MemoryBudget.bodies`."""
        while not self._take(size):
            with self._freed:
                self._freed.wait(_RETRY_SECONDS)
        try:
            yield
        finally:
            self._memory.give_back_body(size)
            with self._freed:
                self._freed.notify_all()

    def _take(self, size: int) -> bool:
        try:
            self._memory.take_body(size)
        except TooManyUploads:
            return False
        return True


def _open_at_once(path: str, flags: int) -> int:
    """Does not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        data = file.read(size + 1)
    except OSError as error:
        raise UnreadableFile(str(error.strerror)) from None
    if len(data) > size:
        raise UnreadableFile("It grew while it was read")
    return data
