import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from local.simulation.durations import (
    Constant,
    Durations,
    DurationsError,
    DurationStream,
    Empirical,
    LogNormal,
    Scaled,
    durations_from_json,
    parse_durations,
)
from local.simulation.measured import Measured, MeasuredError, read_measured
from tests.simulation.helpers import InTurn


@pytest.mark.parametrize(
    ("text", "durations"),
    [
        ("25", Constant(25)),
        ("0.5", Constant(0.5)),
        ("25/60", LogNormal(25, 60)),
        ("25/25", Constant(25)),
    ],
)
def test_parse_durations(text: str, durations: Durations) -> None:
    assert parse_durations(text) == durations


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "'fast' is neither milliseconds nor P50/P99 in milliseconds"),
        ("1/2/3", "'1/2/3' is neither milliseconds nor P50/P99 in milliseconds"),
        ("", "'' is neither milliseconds nor P50/P99 in milliseconds"),
        ("0", "a duration must be above 0 ms, not 0 ms"),
        ("-3", "a duration must be above 0 ms, not -3 ms"),
        ("nan", "a duration must be above 0 ms, not nan ms"),
        ("inf", "a duration must be at most 1,000,000,000 ms, not inf ms"),
        ("1e10", "a duration must be at most 1,000,000,000 ms, not 1e+10 ms"),
        ("25/1e10", "a duration must be at most 1,000,000,000 ms, not 1e+10 ms"),
        ("60/25", "p99 (25 ms) is below p50 (60 ms)"),
    ],
)
def test_invalid_durations_raise(text: str, message: str) -> None:
    with pytest.raises(DurationsError) as raised:
        parse_durations(text)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("value", "durations"),
    [
        (25, Constant(25)),
        ([24, 25.5], Empirical((24, 25.5))),
        ({"p50": 25, "p90": 40, "p99": 60}, LogNormal(25, 60)),
    ],
)
def test_durations_from_json(value: object, durations: Durations) -> None:
    assert durations_from_json(value) == durations


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the list is empty"),
        ([1, "2"], "'2' is not a number of milliseconds"),
        (True, "True is not a number of milliseconds"),
        ({"p50": 1}, "an object of percentiles needs both p50 and p99"),
        ([3, -1], "a duration must be above 0 ms, not -1 ms"),
        (10**400, "a duration must be at most 1,000,000,000 ms, not inf ms"),
    ],
)
def test_invalid_json_durations_raise(value: object, message: str) -> None:
    with pytest.raises(DurationsError) as raised:
        durations_from_json(value)

    assert str(raised.value) == message


def test_lognormal_has_the_given_percentiles() -> None:
    drawn = LogNormal(25, 60).draw(np.random.default_rng(3), 1_000_000)

    assert np.percentile(drawn, [50, 99]) == pytest.approx([25_000, 60_000], rel=0.005)


def test_measured_values_are_drawn_equally_often() -> None:
    drawn = Empirical((10, 20, 40)).draw(np.random.default_rng(3), 300_000)

    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [10_000, 20_000, 40_000]
    assert counts == pytest.approx([100_000] * 3, rel=0.02)


def test_durations_are_at_least_one_microsecond() -> None:
    assert Constant(1e-9).draw(np.random.default_rng(0), 2).tolist() == [1, 1]


def test_a_duration_stream_goes_on_after_its_durations_were_collected() -> None:
    supply = DurationStream(InTurn(range(65_536)), np.random.default_rng(0))
    supply.take(3)

    first = supply.collect().tolist()
    ahead = supply.ahead(2).tolist()
    supply.skip(2)

    assert first == [0, 1, 2]
    assert ahead == supply.collect().tolist() == [3, 4]
    assert supply.take(1) == [5]


def test_duration_stream_returns_blocks_in_order_and_records_them() -> None:
    supply = DurationStream(InTurn(range(65_536)), np.random.default_rng(0))

    parts = [supply.take(count) for count in (3, 0, 65_000, 70_000, 1)]

    assert [len(part) for part in parts] == [3, 0, 65_000, 70_000, 1]
    taken = supply.collect().tolist()
    assert taken == list(chain.from_iterable(parts))
    assert taken[65_530:65_540] == [*range(65_530, 65_536), 0, 1, 2, 3]


def test_file_of_measured_durations(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text(
        json.dumps(
            {
                "cold_ms": [1480, 1512],
                "warm_ms": {"p50": 25, "p99": 60},
                "memory_mb": 1769,
                "architecture": "arm64",
                "machine": "anything",
            }
        )
    )

    measured = read_measured(file)

    assert measured == [Measured(Empirical((1480, 1512)), LogNormal(25, 60), 1769, "arm64")]


def test_every_key_of_the_file_is_optional(tmp_path: Path) -> None:
    (tmp_path / "measured.json").write_text("{}")

    assert read_measured(tmp_path / "measured.json") == [Measured()]


def test_file_of_several_memory_sizes(tmp_path: Path) -> None:
    # Given a file in the format of `local.benchmark.lambda_image`
    measured = [
        {"memory_mb": 512, "cold_ms": 5100.5, "parts_ms": {"imports": 900}, "warm_ms": 90},
        {"memory_mb": 1769, "cold_ms": 1500, "parts_ms": {"imports": 300}, "warm_ms": 26.1},
    ]
    machine = {"cpu": "Neoverse", "system": "Linux aarch64"}
    file = tmp_path / "sizes.json"
    file.write_text(json.dumps({"image_mb": 700, "machine": machine, "sizes": measured}))

    assert read_measured(file) == [
        Measured(Constant(5100.5), Constant(90), 512, "arm64"),
        Measured(Constant(1500), Constant(26.1), 1769, "arm64"),
    ]


def test_scaled_durations_take_so_many_times_as_long() -> None:
    durations = LogNormal(25, 60)

    plain = durations.draw(np.random.default_rng(0), 1000)
    scaled = Scaled(durations, 3.5).draw(np.random.default_rng(0), 1000)

    assert scaled / plain == pytest.approx(3.5, rel=1e-3)
    assert str(Scaled(durations, 3.5)) == "lognormal, p50 25 ms, p99 60 ms, times 3.5"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not JSON"),
        ("[1]", "must hold a JSON object"),
        ('{"warm_ms": []}', "warm_ms: the list is empty"),
        ('{"cold_ms": "1 s"}', "cold_ms: '1 s' is not a number of milliseconds"),
        ('{"memory_mb": "big"}', "memory_mb must be a whole number from 128 to 10240, not 'big'"),
        ('{"memory_mb": 100}', "memory_mb must be a whole number from 128 to 10240, not 100"),
        ('{"sizes": 3}', "sizes must be a list of objects, each with its memory_mb"),
        ('{"sizes": [{"cold_ms": 3}]}', "sizes must be a list of objects, each with its memory_mb"),
        ('{"architecture": "mips"}', "architecture must be x86_64 or arm64, not 'mips'"),
    ],
)
def test_invalid_file_of_durations_is_an_error(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "measured.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(MeasuredError) as raised:
        read_measured(file)

    assert message in str(raised.value)
    assert str(raised.value).startswith(str(file))


def test_the_longest_durations_are_whole_microseconds() -> None:
    longest = 10**12
    random = np.random.default_rng(0)
    drawn = Scaled(LogNormal(1e-300, 1e9), 14).draw(random, 1000)
    assert drawn.min() >= 1
    assert drawn.max() == longest
