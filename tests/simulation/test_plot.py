import numpy as np
import pytest

from local.simulation.scaling import Limits
from tests.simulation.helpers import waves

pytest.importorskip("matplotlib")

from local.simulation.plot import concurrency


def test_concurrency_rises_with_each_wave_and_falls_as_requests_end() -> None:
    result = waves(10, 1, 2, cold_ms=1500, warm_ms=25, limits=Limits())

    times, levels = concurrency(result)

    def level_at(seconds: float) -> int:
        return int(levels[np.searchsorted(times, seconds * 1e6, side="right") - 1])

    assert [level_at(s) for s in (0, 0.99, 1, 1.49, 1.5, 2.4, 2.5)] == [10, 10, 20, 20, 10, 10, 0]


def test_concurrency_keeps_peaks_of_many_steps() -> None:
    result = waves(50, 0.1, 500, cold_ms=1500, warm_ms=25, limits=Limits())

    times, levels = concurrency(result)

    assert len(times) < 5000 < result.latencies.size
    assert levels.max() == result.peak_concurrency
    assert (np.diff(times) > 0).all()
