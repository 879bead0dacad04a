"""The order of a sender's requests."""

import math

import numpy as np
import pytest

from local.loadtest.engine import turns
from local.loadtest.engine.turns import Turns


@pytest.mark.parametrize("senders", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 4, 4096])
def test_senders_share_the_requests(
    senders: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_CHUNK", chunk)
    due = np.repeat(np.arange(5.0), 2)
    taken = []
    for share in range(senders):
        mine = Turns(due, share, senders)
        while mine.next_due < math.inf:
            taken.append(mine.take())
    assert sorted(taken) == list(enumerate(due))


@pytest.mark.parametrize("chunk", [1, 4, 4096])
def test_requests_that_are_due_together(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_CHUNK", chunk)
    mine = Turns(np.array([0.0, 0, 0, 1, 2, 2]), 0, 1)
    counts = []
    for most in (2, 99, 99, 99, 99, 99):
        counts.append(mine.due_together(most))
        mine.take()
    assert counts == [2, 2, 1, 1, 2, 1]
    assert mine.due_together(99) == 0
