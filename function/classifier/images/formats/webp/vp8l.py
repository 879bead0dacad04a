"""The beginning of a lossless WebP stream (RFC 9649, sections 4 to 6): what it is decoded into.

libwebp decodes transparency into one byte for each pixel if the stream is one of palette indices,
and into four otherwise.
"""

import functools
from typing import Final

_MAX_PIXELS: Final = 250_000
"""Of the images within the stream, of 2 us each. libwebp's encoder wrote 190,000 for a picture of
24 megapixels at its best setting, and now writes at most 35,000."""

_MOST_GROUPS: Final = 65_536
_LEAST_GROUP_BITS: Final = 20
"""Five codes of one symbol each (section 6.2.1)"""

_MAX_GROUPS: Final = 100
"""Sets of prefix codes, of 0.3 ms each"""

_BUNDLES: Final = ((2, 8), (4, 4), (16, 2))
"""Most colours of a palette, and pixels that are kept together then (section 4.4)"""

_SUBTRACT_GREEN, _PALETTE = 2, 3
"""Kinds of transforms (section 4)"""

_LITERALS, _LENGTHS, _DISTANCES = 256, 24, 40
"""Symbols of the prefix codes (section 6.2)"""

_CODE_LENGTH_ORDER: Final = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
"""In which the lengths of the code for code lengths are written (section 6.2.1)"""

_REPEAT_LAST: Final = 16
_REPEATS: Final = {16: (2, 3), 17: (3, 3), 18: (7, 11)}
"""Bits and least number of repetitions"""

_MAX_CODE_BITS: Final = 15


class _Bits:
    """Reads from the least significant bit of each byte on; beyond the end there are zeros."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._position = 8 * start
        self._pixels_left = _MAX_PIXELS

    def take_pixels(self, count: int) -> None:
        """Count the pixels of images within the stream. Raises `ValueError` if they are too
        many."""
        self._pixels_left -= count
        if self._pixels_left < 0:
            raise ValueError("its parts are large")

    def peek(self) -> int:
        at = self._position >> 3
        return int.from_bytes(self._data[at : at + 4], "little") >> (self._position & 7)

    def skip(self, count: int) -> None:
        self._position += count

    def read(self, count: int) -> int:
        """At most 25 bits."""
        value = self.peek() & (1 << count) - 1
        self._position += count
        return value


class _Code:
    """A prefix code, by the length of each symbol."""

    def __init__(self, lengths: list[int]) -> None:
        """Raises `ValueError` if they do not form a prefix code."""
        used = [symbol for symbol, length in enumerate(lengths) if length]
        self.is_trivial = len(used) == 1
        """Whether its one symbol takes no bits"""
        self._used = sorted(used, key=lambda symbol: (lengths[symbol], symbol))
        self._lengths = lengths
        room = sum(1 << _MAX_CODE_BITS - lengths[symbol] for symbol in used)
        if not used or (not self.is_trivial and room != 1 << _MAX_CODE_BITS):
            raise ValueError("its codes are damaged")

    @functools.cached_property
    def _table(self) -> list[tuple[int, int]]:
        """Length and symbol by the bits ahead, as many as the longest code has."""
        bits = self._lengths[self._used[-1]]
        table = [(0, 0)] * (1 << bits)
        code, previous = 0, 0
        for symbol in self._used:
            length = self._lengths[symbol]
            code <<= length - previous
            previous = length
            reversed_code = int(f"{code:0{length}b}"[::-1], 2)
            table[reversed_code :: 1 << length] = [(length, symbol)] * (1 << bits - length)
            code += 1
        return table

    def read(self, bits: _Bits) -> int:
        if self.is_trivial:
            return self._used[0]
        table = self._table
        length, symbol = table[bits.peek() & len(table) - 1]
        bits.skip(length)
        return symbol


def is_of_indices(data: bytes, start: int, size: tuple[int, int]) -> bool:
    """Whether libwebp decodes the stream at `start`, without a header, into one byte for each of
    the pixels of `size`. False also where that would take long to find out."""
    bits = _Bits(data, start)
    try:
        width, kinds = _read_transforms(bits, size)
        cache = bits.read(4) if bits.read(1) else 0
        if kinds != [_PALETTE] or cache:
            return False
        groups = _read_groups(bits, (width, size[1]))
        return groups <= _MAX_GROUPS and all(
            red.is_trivial and blue.is_trivial and alpha.is_trivial
            for _, red, blue, alpha, _ in (_read_codes(bits, 0) for _ in range(groups))
        )
    except ValueError:
        return False


def count_groups(data: bytes, start: int, end: int, size: tuple[int, int]) -> int:
    """For how many groups of prefix codes libwebp has tables, at most, while it decodes the stream
    of `size` at `start`. Takes half a second at most."""
    bits = _Bits(data, start)
    possible = min(_MOST_GROUPS, (end - start) * 8 // _LEAST_GROUP_BITS, size[0] * size[1] // 16)
    try:
        width, _ = _read_transforms(bits, size)
        if bits.read(1):
            bits.read(4)  # bits of the colour cache
        return _read_groups(bits, (width, size[1]))
    except ValueError:
        return 1 + possible


def _read_transforms(bits: _Bits, size: tuple[int, int]) -> tuple[int, list[int]]:
    """The width in indices, and the kinds of the transforms (section 4). Raises `ValueError`."""
    width, height = size
    kinds: list[int] = []
    while bits.read(1):
        kind = bits.read(2)
        if kind in kinds:
            raise ValueError("it has a transform twice")
        kinds.append(kind)
        if kind == _PALETTE:
            colours = 1 + bits.read(8)
            _scan(bits, colours)
            width = -(-width // pixels_in_index(colours))
        elif kind != _SUBTRACT_GREEN:
            _scan(bits, _blocks(bits, (width, height)))
    return width, kinds


def _read_groups(bits: _Bits, size: tuple[int, int]) -> int:
    """The number of groups of prefix codes (section 6.2.2). Raises `ValueError`."""
    return 1 + _scan(bits, _blocks(bits, size)) if bits.read(1) else 1


def _blocks(bits: _Bits, size: tuple[int, int]) -> int:
    """Pixels of an image that has one for each block."""
    block = 2 + bits.read(3)
    return -(-size[0] >> block) * -(-size[1] >> block)


def pixels_in_index(colours: int) -> int:
    """How many pixels one index of a palette holds (section 4.4)."""
    return next((held for most, held in _BUNDLES if colours <= most), 1)


def _scan(bits: _Bits, pixels: int) -> int:
    """The greatest number that a pixel of an image within the stream has in red and green (section
    6.2.2). Raises `ValueError`, also if the image is large."""
    bits.take_pixels(pixels)
    cache = 1 << bits.read(4) if bits.read(1) else 0
    green, red, blue, alpha, distance = _read_codes(bits, cache)
    others = [code for code in (blue, alpha) if not code.is_trivial]
    done = greatest = 0
    while done < pixels:
        symbol = green.read(bits)
        if symbol < _LITERALS:
            number = red.read(bits) << 8 | symbol
            for code in others:
                code.read(bits)
            greatest = max(greatest, number)
            done += 1
        elif symbol < _LITERALS + _LENGTHS:  # copies of pixels before
            done += _read_prefixed(bits, symbol - _LITERALS)
            _read_prefixed(bits, distance.read(bits))
        else:  # a pixel of the colour cache
            done += 1
    return greatest


def _read_prefixed(bits: _Bits, prefix: int) -> int:
    """Section 5.2.2"""
    if prefix < 4:
        return prefix + 1
    extra = (prefix - 2) >> 1
    return ((2 + (prefix & 1)) << extra) + bits.read(extra) + 1


def _read_codes(bits: _Bits, cache: int) -> list[_Code]:
    """Of green (and lengths and the colour cache), red, blue, alpha, and distances."""
    sizes = (_LITERALS + _LENGTHS + cache, _LITERALS, _LITERALS, _LITERALS, _DISTANCES)
    return [_Code(_read_lengths(bits, size)) for size in sizes]


def _read_lengths(bits: _Bits, size: int) -> list[int]:
    """Section 6.2.1"""
    lengths = [0] * max(size, _LITERALS)
    if bits.read(1):  # a simple code
        second = bits.read(1)
        lengths[bits.read(8 if bits.read(1) else 1)] = 1
        if second:
            lengths[bits.read(8)] = 1
        return lengths
    of_lengths = [0] * len(_CODE_LENGTH_ORDER)
    for index in range(4 + bits.read(4)):
        of_lengths[_CODE_LENGTH_ORDER[index]] = bits.read(3)
    code = _Code(of_lengths)
    left = 2 + bits.read(2 + 2 * bits.read(3)) if bits.read(1) else size
    symbol, last = 0, 8
    while symbol < size and left:
        left -= 1
        length = code.read(bits)
        if length in _REPEATS:
            extra, least = _REPEATS[length]
            count = least + bits.read(extra)
            if symbol + count > size:
                raise ValueError("its codes are damaged")
            lengths[symbol : symbol + count] = [last if length == _REPEAT_LAST else 0] * count
            symbol += count
        else:
            lengths[symbol] = length
            symbol += 1
            last = length or last
    return lengths
