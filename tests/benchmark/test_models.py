"""The comparison of the repository's models."""

from local.benchmark.lambda_image import Life
from local.benchmark.models import medians


def test_medians_of_all_rounds_and_the_largest_peak() -> None:
    lives = [Life(400.0, [15.0, 17.0], 99.0), Life(900.0, [16.0, 90.0], 103.04)]
    assert medians([5.0, 4.0, 9.0], [*lives, Life(420.0, [15.5, 15.0], 100.0)]) == {
        "inference_ms": 5.0,
        "cold_ms": 420.0,
        "warm_ms": 15.8,
        "peak_mb": 103.0,
    }
