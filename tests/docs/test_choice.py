"""The table of the repository's models."""

import json

import pytest

from local.common.paths import DEFAULT_NETWORK
from local.docs.choice import choice_rows
from local.docs.cost import steady_cost
from tests.support.paths import SHIPPED_MODEL

MEASURED = {"inference_ms": 4.25, "cold_ms": 410.0, "warm_ms": 15.0, "peak_mb": 100.0}


def test_row_has_the_figures_of_the_card_and_of_the_measurement() -> None:
    card = json.loads((SHIPPED_MODEL / "model.json").read_bytes())
    figures = {"memory_mb": 1769, "models": {DEFAULT_NETWORK: MEASURED}}
    ((name, pixels, megabytes, fp32, int8, agreement, *times, cost),) = choice_rows(figures)
    assert (name, pixels) == (f"`{DEFAULT_NETWORK}`", "224")
    assert float(megabytes) == pytest.approx(card["bytes"] / 1e6, abs=0.05)
    for cell, fraction in (
        (fp32, card["evaluation"]["fp32"]["top1"]),
        (int8, card["evaluation"]["int8"]["top1"]),
        (agreement, card["evaluation"]["agreement"]),
    ):
        assert float(cell.rstrip("%")) / 100 == pytest.approx(fraction, abs=0.0005)
    assert times == ["4.2", "410", "15.0"]
    assert float(cost) == pytest.approx(steady_cost(1769, 410.0, 15.0), abs=0.005)


def test_cost_is_that_of_the_billed_time() -> None:
    # 1769 MB of x86_64 for 15 ms: 0.0000166667 USD a GB-second, 0.20 USD per million requests, and
    # ten cold starts among 36,000 requests
    expected = 0.20 + 1e6 * 0.015 * 1769 / 1024 * 0.0000166667
    assert steady_cost(1769, 400.0, 15.0) == pytest.approx(expected, rel=0.05)
    assert steady_cost(1769, 400.0, 30.0) > 1.5 * steady_cost(1769, 400.0, 15.0)
