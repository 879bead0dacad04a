"""A file that is read in parts."""

import io

import pytest

from classifier.images.parts import open_parts

WHOLE = bytes(range(256)) * 200
PARTS = (WHOLE[:10], b"", memoryview(WHOLE)[10:40_000], WHOLE[40_000:])


@pytest.mark.parametrize("step", [1, 7, 9000, 50_000, -1])
def test_parts_are_read_one_after_the_other(step: int) -> None:
    file = open_parts(PARTS)
    pieces = []
    while piece := file.read(step):
        pieces.append(piece)
    assert b"".join(pieces) == WHOLE


@pytest.mark.parametrize("position", [0, 9, 10, 39_999, 40_000, len(WHOLE), len(WHOLE) + 9])
def test_reading_goes_on_where_the_file_was_sought(position: int) -> None:
    file = open_parts(PARTS)
    file.read(20_000)
    assert file.seek(position) == file.tell() == position
    assert file.read() == WHOLE[position:]


def test_file_is_sought_from_its_end() -> None:
    file = open_parts(PARTS)
    assert file.seek(-5, io.SEEK_END) == len(WHOLE) - 5
    assert file.read() == WHOLE[-5:]
