import json

import pytest

from local.simulation.durations import Constant, Scaled
from local.simulation.measured import Measured, read_measured
from local.simulation.sizes import MEASURED, cpu_factor, durations_for
from tests.support.paths import ROOT

SMALL = Measured(Constant(1800), Constant(60), 512, "x86_64")
LARGE = Measured(Constant(400), Constant(15), 1769, "x86_64")
ARM = Measured(Constant(500), Constant(20), 1769, "arm64")


@pytest.mark.parametrize(
    ("measured", "wanted", "factor"),
    [(1769, 1769, 1), (1769, 512, 1769 / 512), (512, 1024, 0.5), (1769, 3008, 1), (3008, 1769, 1),
     (10_240, 128, 1769 / 128)],
)  # fmt: skip
def test_durations_follow_the_share_of_a_cpu_up_to_one(
    measured: int, wanted: int, factor: float
) -> None:
    assert cpu_factor(measured, wanted) == pytest.approx(factor)


def test_a_measured_size_is_used_as_it_is() -> None:
    found = durations_for([LARGE, SMALL], 512, "x86_64")

    assert (found.memory_mb, found.warm, found.source) == (512, Constant(60), MEASURED)


def test_another_size_is_scaled_from_the_closest() -> None:
    near_small, near_large = (durations_for([LARGE, SMALL], size, None) for size in (600, 3008))

    assert near_small.warm == Scaled(Constant(60), 512 / 600)
    assert near_small.source == "512 MB"
    assert (near_large.warm, near_large.source) == (Constant(15), "1,769 MB")


def test_the_same_architecture_comes_before_the_same_size() -> None:
    found = durations_for([SMALL, LARGE, ARM], 512, "arm64")

    assert found.warm == Scaled(Constant(20), 1769 / 512)
    assert found.source == "1,769 MB"


def test_another_architecture_is_named() -> None:
    found = durations_for([SMALL, LARGE], 1024, "arm64")

    assert found.architecture == "arm64"
    assert found.source == "1,769 MB, x86_64"


def test_without_a_size_the_largest_is_taken() -> None:
    found = durations_for([SMALL, LARGE], None, None)

    assert (found.memory_mb, found.cold) == (1769, Constant(400))


def test_durations_without_a_size_are_those_of_any_size() -> None:
    found = durations_for([Measured(Constant(400), Constant(15))], 256, "arm64")

    assert (found.memory_mb, found.warm, found.source) == (256, Constant(15), MEASURED)


def test_the_measurement_in_the_documentation_is_usable() -> None:
    path = ROOT / "docs/measured/lambda.json"

    sizes = {one.memory_mb: one for one in read_measured(path)}

    content = json.loads(path.read_text())["sizes"]
    assert list(sizes) == [size["memory_mb"] for size in content]
    assert {one.architecture for one in sizes.values()} == {"x86_64"}
