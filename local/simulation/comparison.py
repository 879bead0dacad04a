"""Compares a forecast with a load report measured on Lambda or on local emulator containers.

A report is the JSON that the load test scripts write: `requests`, `failures`, `throughput_rps` and
`latency_ms` with percentiles. Quantities missing on either side are left out.
"""

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
    ours, theirs = _mapping(predicted.get("latency_ms")), _mapping(measured.get("latency_ms"))
    rows += [(f"latency {name}", "ms", value, theirs.get(name)) for name, value in ours.items()]
    return [
        Comparison(name, unit, float(one), float(other))
        for name, unit, one, other in rows
        if isinstance(one, int | float) and isinstance(other, int | float)
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


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
