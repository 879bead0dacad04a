"""Decoders written in C write nothing to stderr, whatever the bytes."""

import subprocess
import sys
from typing import Final

import pytest

from tests.hostile import corpus
from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS

# Encoders may warn while they make the files.
READ: Final = """
import os, sys
from classifier.errors import ImageError
from classifier.images import read_image
from tests.hostile import corpus

stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 2)
for make in corpus.MAKERS:
    if make.__name__ not in sys.argv:
        continue
    for _, data in corpus.selection(make):
        os.dup2(stderr, 2)
        try:
            read_image(data, 224)
        except ImageError:
            pass
        os.dup2(null, 2)
"""

QUICK: Final = ("truncated", "flipped", "tiff_strips", "noise")


def stderr_of(*makers: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-c", READ, *makers],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": "function:."},
        timeout=HANG_SECONDS,
    ).stderr


def test_decoders_write_nothing_to_stderr() -> None:
    assert stderr_of(*QUICK) == b""


@pytest.mark.slow
@pytest.mark.parametrize("make", corpus.MAKERS, ids=lambda make: make.__name__)
def test_decoders_of_all_formats_write_nothing_to_stderr(make: corpus.Maker) -> None:
    assert stderr_of(make.__name__) == b""
