"""The tables of cost against figures by hand."""

import pytest

from local.docs.cost import batch_table, cost_parts_table
from local.docs.measurements import container


def rows(table: str) -> dict[str, list[str]]:
    """The cells by the first of their row."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return {name: cells for name, *cells in lines}


def test_parts_around_the_function() -> None:
    """USD per million. Logs: 1,065 or 580 bytes x 0.50 a GB. Traffic: 1,200 bytes x 0.09 a GB. By
    S3: 5.00 + 0.40, and 500 GB for a day of a month at 0.023."""
    parts = rows(cost_parts_table())

    usd, change = parts["Lambda, 1,769 MB"]
    arm = 0.20 + 0.8 * (float(usd) - 0.20)  # requests cost the same
    assert float(change.rpartition(": ")[2]) == pytest.approx(arm, abs=0.01)
    assert parts["HTTP API"][0] == "1.00"
    assert parts["logs"] == [
        "0.53",
        "`SystemLogLevel=WARN`, without Lambda's own lines: 0.29",
    ]
    assert parts["traffic of responses"][0] == "0.11"
    assert parts["photos of 500 kB by S3"][0] == f"{5.40 + 500 * 0.023 / (365 / 12):.2f}"


def test_a_million_photos_of_a_bucket() -> None:
    """S3 and S3 Batch: 0.25 + 1.00 + 0.015 + 0.40 + 0.6 GB x 0.023. Logs and metrics: 0.53 and one
    hour of 1.80 a month."""
    table = rows(batch_table())

    for size in container()["sizes"]:
        time, compute, s3, logs, total = table[str(size["memory_mb"])]
        seconds = 9999 * (size["warm_ms"] + 100) / 1000 + (size["cold_ms"] + 100) / 1000
        minutes, rest = time.removesuffix(" s").split(" min ")
        gb_seconds = size["memory_mb"] / 1024 * 100 * seconds
        assert int(minutes) * 60 + int(rest) == pytest.approx(seconds, abs=1)
        assert float(compute) == pytest.approx(gb_seconds * 0.0000166667 + 0.20, rel=0.01)
        assert (s3, logs) == ("1.68", "0.54")
        assert float(total) == pytest.approx(float(compute) + 1.68 + 0.54, abs=0.015)
