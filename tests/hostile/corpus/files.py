"""Shared parts of the corpus."""

import zlib
from collections.abc import Iterator
from typing import Final

Files = Iterator[tuple[str, bytes]]
MAX_FILE: Final = 20 * 1024 * 1024 - 1024
_ZEROS: Final = bytes(8 << 20)
_packers: Final = [(b"", zlib.compressobj(9))]
"""By number of `_ZEROS`: the output that the last one added, and the state of the compressor."""


def deflated_zeros(length: int) -> bytes:
    """`length` zeros, deflated. Multiples of `_ZEROS` are deflated only once."""
    whole, rest = divmod(length, len(_ZEROS))
    while len(_packers) <= whole:
        packer = _packers[-1][1].copy()
        _packers.append((packer.compress(_ZEROS), packer))
    packer = _packers[whole][1].copy()
    parts = [part for part, _ in _packers[: whole + 1]]
    return b"".join([*parts, packer.compress(bytes(rest)), packer.flush()])
