"""A short run of `python -m tests.measure.refusals`."""

import sys

import pytest

from tests.measure import refusals


@pytest.mark.slow
def test_each_client_sees_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["refusals", "--tries", "5", "--sizes", "21", "100"])
    assert refusals.main() == 0
