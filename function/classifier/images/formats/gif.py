"""GIF (GIF89a specification), the first frame.

Pillow reads the extensions before it in Python, a piece of 255 bytes at most at a time. A file with
many of them is replaced by one with the frame alone.
"""

import re
from functools import partial
from io import BytesIO
from struct import pack, unpack_from
from typing import Final, NamedTuple

from PIL import Image

from classifier.images.formats import ImageInfo, UnusualStructure
from classifier.images.formats.memory import CONVERTED_BYTES
from classifier.images.formats.records import PATIENCE, count_equal

MAX_METADATA_BYTES: Final = 64 * 1024
"""Bytes between the palette and the frame that Pillow reads; XMP has 5 to 60 KiB."""

MAX_STEPS: Final = 1_500_000
"""Sub-blocks, of which equal ones in a row count little. To walk over them takes 0.4 seconds.
Writers fill them with 255 bytes."""

_EXTENSION_STEPS: Final = 3
"""An extension, and unknown bytes before it, take as long as so many sub-blocks each."""

_HEADER_BYTES: Final = 13
"""The signature and the logical screen descriptor"""

_DESCRIPTOR_BYTES: Final = 10
"""The image descriptor, with its first byte"""

_PALETTE_FLAG, _PALETTE_SIZE = 0x80, 7
"""Bits of a descriptor's flags"""

_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"
_PIECE: Final = re.compile(rb"[!,;]")
"""The first byte of what Pillow looks for; it skips all others."""

_GRAPHIC_CONTROL, _GRAPHIC_CONTROL_BYTES = 0xF9, 4
_TRANSPARENT: Final = 1
_RESTORE_BACKGROUND, _RESTORE_PREVIOUS = 2, 3
"""Disposal methods (section 23)"""

_MAX_COMPARED: Final = 600
"""Bytes of an extension that is compared with those behind it"""

_WHITE: Final = 255

_SECONDS_PER_PIXEL: Final = 6.3e-9
"""Of a photo; 3.5 ns if the codes are long"""


class _Control(NamedTuple):
    """What the graphic control extensions before the frame say."""

    transparent: int | None = None
    """Index of the transparent colour"""
    disposal: int = 0


class _Frame(NamedTuple):
    position: int
    """Of its descriptor"""
    control: _Control
    odd: bool
    """Whether Pillow would take long to find it, or refuse the file because of what is before"""


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    flags = data[10]
    start = _HEADER_BYTES + _palette_bytes(flags)
    frame = _find_frame(data, start)
    left, top, frame_width, frame_height, frame_flags = unpack_from(
        "<4HB", data, frame.position + 1
    )
    width, height = unpack_from("<HH", data, 6)
    # A frame beyond the screen enlarges it.
    width, height = max(width, left + frame_width), max(height, top + frame_height)
    memory = width * height
    if not frame.odd:
        memory += _disposal_bytes(frame.control, frame_width * frame_height)
        memory += 2 * (frame.position - start)
    grey = not (flags | frame_flags) & _PALETTE_FLAG and frame.control.transparent is None
    memory += 0 if grey else CONVERTED_BYTES
    box = left, top, left + frame_width, top + frame_height
    covers = box == (0, 0, width, height)
    return ImageInfo(
        (width, height),
        memory,
        _SECONDS_PER_PIXEL * frame_width * frame_height,
        replace=partial(_replacement, data, start, frame) if frame.odd else None,
        decode=None if covers or frame.control.transparent is not None else partial(_decode, box),
        resized_pixel_bytes=1 if grey else 4,
    )


def _decode(box: tuple[int, int, int, int], data: bytes) -> Image.Image:
    """The picture with white around the frame, which is in `box`: the screen is transparent there,
    as in browsers. Pillow gives it the first colour of the palette."""
    image = Image.open(BytesIO(data), formats=["GIF"])
    image.load()
    white = _make_white(image)
    left, top, right, bottom = box
    width, height = image.size
    for part in (
        (0, 0, width, top), (0, bottom, width, height),
        (0, top, left, bottom), (right, top, width, bottom),
    ):  # fmt: skip
        image.paste(white, part)
    return image


def _make_white(image: Image.Image) -> int:
    """The level or index of white: that of a colour without pixels, which becomes white, or of the
    lightest."""
    if image.mode == "L":
        return _WHITE
    colours = (image.getpalette("RGB") or []) + [_WHITE] * 768
    used = image.histogram()
    unused = next((index for index in range(256) if not used[index]), None)
    if unused is None:
        return max(range(256), key=lambda index: sum(colours[3 * index : 3 * index + 3]))
    colours[3 * unused : 3 * unused + 3] = [_WHITE] * 3
    image.putpalette(colours[:768])
    return unused


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & _PALETTE_SIZE) + 1) if flags & _PALETTE_FLAG else 0


def _disposal_bytes(control: _Control, pixels: int) -> int:
    """Bytes of the picture that Pillow prepares for the place of the frame after it."""
    if control.disposal == _RESTORE_BACKGROUND:
        return pixels
    return pixels if control.disposal > 2 and control.transparent is not None else 0


def _find_frame(data: bytes, start: int) -> _Frame:
    walk, control, odd, position = _Walk(data), _Control(), False, start
    while True:
        walk.count_steps(_EXTENSION_STEPS)
        found = _PIECE.search(data, position)
        if found is None or found[0] == _TRAILER:
            raise UnusualStructure("it has no frame")
        if found.start() > position:
            walk.count_steps(_EXTENSION_STEPS)
            odd, position = True, found.start()
        if found[0] == _IMAGE:
            return _Frame(position, control, odd or position - start > MAX_METADATA_BYTES)
        label, size = data[position + 1 : position + 3].ljust(2, b"\0")
        if label == _GRAPHIC_CONTROL:
            if size != _GRAPHIC_CONTROL_BYTES:
                odd = True
            else:
                control = _updated(control, *data[position + 3 : position + 7 : 3])
        position = walk.skip_extensions(position)


def _updated(control: _Control, flags: int, index: int) -> _Control:
    """As Pillow does it: a later extension only adds."""
    transparent = index if flags & _TRANSPARENT else control.transparent
    return _Control(transparent, (flags >> 2 & 7) or control.disposal)


class _Walk:
    """Skips the parts of a file, in bounded time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0
        self._extension_bytes = self._equal = 0

    def count_steps(self, number: int) -> None:
        """Raises `UnusualStructure` after too many."""
        self._steps += number
        if self._steps > MAX_STEPS:
            raise UnusualStructure(f"it has more than {MAX_STEPS} pieces")

    def skip_extensions(self, position: int) -> int:
        """The position behind the extension at `position`, and behind those like it that follow if
        there have been many. Raises `UnusualStructure`."""
        end = self.skip_sub_blocks(position + 2)
        length = end - position
        self._equal = self._equal + 1 if length == self._extension_bytes else 0
        self._extension_bytes = length
        if self._equal < PATIENCE or length > _MAX_COMPARED:
            return end
        self._equal = 0
        return position + length * count_equal(
            self._data, position, length, self._structure(position, end)
        )

    def _structure(self, position: int, end: int) -> list[int]:
        """Which bytes of the extension decide where it ends: its first two, and the sizes."""
        columns, size = [0, 1], position + 2
        while size < end:
            columns.append(size - position)
            size += 1 + self._data[size]
        return columns

    def skip_sub_blocks(self, position: int) -> int:
        """The position behind the sub-blocks that begin at `position`. Raises
        `UnusualStructure`."""
        data = self._data
        previous = equal = 0
        try:
            while size := data[position]:
                self.count_steps(1)
                equal = equal + 1 if size == previous else 0
                previous = size
                if equal >= PATIENCE:
                    equal = 0
                    position += (1 + size) * max(1, count_equal(data, position, 1 + size, [0]))
                else:
                    position += 1 + size
        except IndexError:
            raise UnusualStructure("it is cut off") from None
        return position + 1


def _replacement(data: bytes, start: int, frame: _Frame) -> bytes:
    """The file without other frames, and without extensions but the transparent colour."""
    index = frame.control.transparent
    control = b"" if index is None else pack("<BBBBHBB", 0x21, 0xF9, 4, _TRANSPARENT, 0, index, 0)
    flags = data[frame.position + _DESCRIPTOR_BYTES - 1]
    pixels = frame.position + _DESCRIPTOR_BYTES + _palette_bytes(flags) + 1
    try:
        end = _Walk(data).skip_sub_blocks(pixels)
    except UnusualStructure:  # it is cut off, or in many pieces; Pillow reads them in C
        end = len(data)
    view = memoryview(data)
    return b"".join([view[:start], control, view[frame.position : end], _TRAILER])
