"""Server-Timing of responses."""

import math

import pytest

from local.loadtest.engine.server_timing import parse_server_timing

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", (NAN, NAN, NAN)),
        ("queue;dur=0.12, decode;dur=2.50, infer;dur=18.00", (0.12, 2.5, 18)),
        ("decode;dur=2, infer;dur=18", (NAN, 2, 18)),
        ("infer ; dur = 18,queue;dur=1", (1, NAN, 18)),
        ('infer;desc="the, model";dur="18.5"', (NAN, NAN, 18.5)),
        ('cache;desc="infer;dur=9", infer;dur=1;desc=x', (NAN, NAN, 1)),
        ("preinfer;dur=9, infer2;dur=9, INFER;dur=9", (NAN, NAN, NAN)),
        ("infer, decode;dur, queue;dur=x", (NAN, NAN, NAN)),
        ("infer;dur=1e3, decode;dur=-1, queue;dur=" + "9" * 400, (NAN, NAN, NAN)),
        ("cdn;dur=3, infer;dur=4", (NAN, NAN, 4)),
    ],
)
def test_durations_are_found(value: str, parts: tuple[float, float, float]) -> None:
    assert parse_server_timing(value) == pytest.approx(parts, nan_ok=True)
