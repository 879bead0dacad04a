"""Compares a forecast with a load report measured on Lambda or on local emulator containers.

A report is the JSON that the load test scripts write: `requests`, `failures`, `throughput_rps` and
`latency_ms` with percentiles. Quantities missing on either side are left out.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Comparison(NamedTuple):
    quantity: str
    unit: str
    predicted: float
    measured: float

    @property
    def ratio(self) -> float | None:
        """Measured divided by predicted; None if the prediction is 0."""
        return self.measured / self.predicted if self.predicted else None


def compare(predicted: Mapping[str, object], measured: Mapping[str, object]) -> list[Comparison]:
    """Every quantity that both contain."""
    names = [
        ("requests", ""),
        ("failures", ""),
        ("throughput_rps", "1/s"),
        ("peak_concurrency", ""),
    ]
    rows = [(name, unit, predicted.get(name), measured.get(name)) for name, unit in names]
    latency, other_latency = (_mapping(one.get("latency_ms")) for one in (predicted, measured))
    rows += [(f"latency {key}", "ms", latency[key], other_latency.get(key)) for key in latency]
    return [
        Comparison(name, unit, one, other)
        for name, unit, ours, theirs in rows
        if (one := _number(ours)) is not None and (other := _number(theirs)) is not None
    ]


def doubts(predicted: Mapping[str, object], measured: Mapping[str, object]) -> list[str]:
    """Reasons, as sentences, why a forecast and a load report may not agree."""
    found = []
    limit, plan = measured.get("client_limit"), measured.get("plan")
    if isinstance(limit, str):
        found.append(limit)
    if plan is not None and plan != predicted.get("plan"):
        described = measured.get("description")
        found.append(f"The load report is of another plan{f': {described}' if described else ''}.")
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # hundreds of digits
        return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
