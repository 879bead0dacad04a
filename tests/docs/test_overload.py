"""The tables and the plot of an overload."""

import re

import pytest

from local.docs import overload
from tests.benchmark import overloads


@pytest.fixture(autouse=True)
def _figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "overload", overloads.figures)


def test_the_plot_has_a_line_for_each_server_that_was_measured() -> None:
    text = overload.overload_plot()
    assert re.findall(r">(this service|LitServe 1.0|BentoML 2.0)<", text) == [
        "this service",
        "LitServe 1.0",
    ]
    assert overload.overload_plot() == text


def test_the_tables_say_where_they_were_measured() -> None:
    text = overload.overload_tables()
    assert (
        "Measured on 2026-01-02, 2 cores of CPU; JPEGs of 96 kB; windows of 10 s, medians" in text
    )
    assert "| 512 " in text
    assert "500 wait for Retry-After" in text
