"""The limits on one image, and the memory that all images and request bodies share."""

import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from classifier.errors import TooManyPixels, TooManyUploads, TooMuchMemory, TooSlowToDecode
from classifier.images.formats import ImageInfo

MAX_PIXELS: Final = 250_000_000

MAX_EDGE: Final = 65_535
"""Pixels; as in JPEG and GIF. Pillow gathers a whole row of uncompressed pixels piece by piece."""

WORKING_BYTES: Final = 3 << 20
"""Rows on their way through decoder and resampling, and Python's objects, for any image"""

MAX_SECONDS: Final = 1.5
"""CPU time of `ImageInfo.seconds`, which a HEIC of 75 megapixels takes. What the file holds for the
pixels takes time as well, in proportion to the bytes that the client has sent."""


def check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Raises `TooManyPixels`."""
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise TooManyPixels(
            f"The image has {pixels / 1e6:.1f} megapixels; at most {max_pixels / 1e6:g} are "
            "accepted. Make it smaller and send it again."
        )
    if max(size) > MAX_EDGE:
        raise TooManyPixels(
            f"The image is {max(size)} pixels long; at most {MAX_EDGE} are accepted. "
            "Make it smaller and send it again."
        )


def check_time(info: ImageInfo) -> None:
    """Raises `TooSlowToDecode`."""
    if info.seconds > MAX_SECONDS:
        raise TooSlowToDecode(
            f"The image is {info.feature or 'large'}: decoding its "
            f"{info.size[0] * info.size[1] / 1e6:.1f} megapixels would take about "
            f"{info.seconds:.1f} seconds; at most {MAX_SECONDS:g} are accepted. "
            "Make it smaller, or save it as a baseline JPEG, and send that."
        )


class MemoryBudget:
    """The memory for decoding and for request bodies, which all threads share.

    An image waits, in order of arrival, until its memory is free. Bodies never wait, and never
    take more than their part, so the largest image that is accepted finds room when those before
    it are done.
    """

    def __init__(self, limit: int, *, bodies: int | None = None) -> None:
        """`limit` is in bytes, and so is `bodies`, the part that bodies may take (default: a
        quarter)."""
        self.limit: Final = limit
        self.bodies: Final = limit // 4 if bodies is None else bodies
        self.largest_image: Final = limit - self.bodies
        """Bytes for decoding one image"""
        self._free = limit
        self._free_bodies = self.bodies
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    @property
    def used(self) -> int:
        """Bytes that images and bodies hold now"""
        return self.limit - self._free

    @property
    def waiting(self) -> int:
        """The number of images that wait for memory"""
        return len(self._waiting)

    def has_room(self, size: int) -> bool:
        """Whether a body of `size` bytes finds room now."""
        return size <= min(self._free, self._free_bodies)

    def has_many_bodies(self) -> bool:
        """Whether bodies fill more than half of their part."""
        return self._free_bodies < self.bodies // 2

    def take_body(self, size: int) -> None:
        """Take `size` bytes for a body. Raises `TooManyUploads`, and then takes nothing."""
        with self._lock:
            if not self.has_room(size):
                raise TooManyUploads
            self._free -= size
            self._free_bodies -= size

    def give_back_body(self, size: int) -> None:
        with self._lock:
            self._free_bodies += size
        self._give_back(size)

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Hold `size` bytes for decoding an image; blocks the thread until they are free. Raises
        `TooMuchMemory` if they never could be."""
        if size > self.largest_image:
            raise TooMuchMemory(
                f"Decoding this image takes {_mib(size)} of memory; this deployment has "
                f"{_mib(self.largest_image)} for an image. Make it smaller, or save it as a "
                "baseline JPEG, which needs the least memory."
            )
        with self._lock:
            turn = None
            if self._waiting or size > self._free:
                turn = threading.Event()
                self._waiting.append((size, turn))
            else:
                self._free -= size
        if turn:
            turn.wait()
        try:
            yield
        finally:
            self._give_back(size)

    def _give_back(self, size: int) -> None:
        with self._lock:
            self._free += size
            while self._waiting and self._waiting[0][0] <= self._free:
                needed, turn = self._waiting.popleft()
                self._free -= needed
                turn.set()


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


UNLIMITED: Final = MemoryBudget(sys.maxsize)
