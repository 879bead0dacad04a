"""An image whose pixels stay in the decoder's buffer."""

from types import TracebackType
from typing import Any, Final

from PIL import Image

_BYTES: Final = {"L": 1, "I;16": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}
"""Per pixel"""


class Pixels:
    """An image of which Pillow would make a copy, in 4 bytes for each pixel where the decoder has
    3. It has as much of `Image.Image` as resizing needs."""

    has_transparency_data: bool

    def __init__(  # noqa: PLR0913
        self,
        mode: str,
        size: tuple[int, int],
        buffer: bytes | memoryview,
        stride: int,
        info: dict[str, Any],
        *,
        format: str,
        owner: object = None,
    ) -> None:
        """`stride`: bytes from one row to the next; `format`: that of the file, in capitals;
        `owner`: what keeps the memory of `buffer`, if `buffer` does not. Raises `ValueError` for
        other modes and if the buffer is too small."""
        if mode not in _BYTES:
            raise ValueError(f"its pixels are of the mode {mode}")
        self.mode = mode
        self.size = self.width, self.height = size
        self.info = info
        self.format = format
        self.has_transparency_data = mode in ("RGBA", "RGBa")
        self._buffer = memoryview(buffer)
        self._stride = stride
        self._owner = owner
        last_row = stride * (self.height - 1) + _BYTES[mode] * self.width
        if self.width < 1 or self.height < 1 or len(self._buffer) < last_row:
            raise ValueError("it has fewer pixels than it should")

    def __enter__(self) -> "Pixels":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The memory is freed with the last reference."""

    def draft(self, mode: None, size: tuple[int, int]) -> None:
        """Nothing is decoded at a smaller scale."""

    def load(self) -> None:
        """All is decoded."""

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """What is inside left, top, right, bottom; all of it is inside the image. Valid as long as
        this object."""
        left, top, right, bottom = box
        first = self._stride * top + _BYTES[self.mode] * left
        size = right - left, bottom - top
        part = self._buffer[first:]
        # Pillow takes anything with a buffer.
        return Image.frombuffer(self.mode, size, part, "raw", self.mode, self._stride, 1)  # type: ignore[arg-type]
