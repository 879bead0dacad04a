"""How often compare.py errs."""

import json

from local.common.markdown import table
from local.docs.measurements import MEASURED


def comparison_table() -> str:
    """A row for each plan and service: false alarms between equal runs, and power."""
    rows = json.loads((MEASURED / "comparison.json").read_text("utf-8"))["rows"]
    header = (
        *("plan", "service", "p50 / p99, ms", "equal runs called different"),
        *("of them slower (status 3)", "tolerance 0 %: different", "+5 ms found", "+20 ms found"),
    )
    lines = [
        (
            row["plan"],
            row["service"],
            f"{row['p50_ms']:.0f} / {row['p99_ms']:.0f}",
            f"{row['false_alarms']:.1%}",
            f"{row['regressions']:.1%}",
            f"{row['without_tolerance']:.1%}",
            *(f"{row['power'][shift]:.0%}" for shift in ("5", "20")),
        )
        for row in rows
    ]
    pairs = rows[0]["pairs"]
    note = (
        f"{pairs} pairs of synthetic runs each. Correlation is that of the level of a second with "
        "that of the next."
    )
    return f"{table(header, lines, numbers_from=2)}\n\n{note}"
