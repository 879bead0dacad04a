import argparse
from pathlib import Path

import numpy as np
import pytest

from local.common.cli import UsageError
from local.loadtest.rate_options import add_rate_options, read_rate
from local.loadtest.schedule import Schedule


def schedule(*arguments: str) -> Schedule | None:
    parser = argparse.ArgumentParser()
    add_rate_options(parser)
    parser.add_argument("--seed", type=int, default=0)
    return read_rate(parser.parse_args(arguments))


def due(*arguments: str) -> list[float]:
    found = schedule(*arguments)
    assert found is not None
    return list(found.due)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile.csv"


def test_a_steady_rate_has_constant_intervals() -> None:
    assert due("--rate", "4", "--for", "1") == [0, 0.25, 0.5, 0.75]


def test_a_ramp_has_intervals_of_one_divided_by_the_rate() -> None:
    times = np.array(due("--ramp", "10:200", "--for", "60"))

    # The rate at the middle of an interval, which is a straight line over time
    rates, middles = 1 / np.diff(times), (times[1:] + times[:-1]) / 2
    assert rates == pytest.approx(10 + middles * 190 / 60, rel=1e-3)


def test_poisson_arrivals_depend_on_the_seed() -> None:
    arguments = ["--rate", "100", "--for", "10", "--arrivals", "poisson", "--seed"]

    assert due(*arguments, "1") == due(*arguments, "1") != due(*arguments, "2")


@pytest.mark.parametrize(
    "header", ["", "seconds,rate\n", "Seconds, Rate\r\n", "\ufeffseconds,rate\n"]
)
def test_a_profile_is_read_from_a_file(profile: Path, header: str) -> None:
    # Given no requests, then two a second from 2 s on, as a step
    profile.write_text(header + "0,0\n2,0\n2,2\n\n3.5,2\n")

    found = schedule("--profile", str(profile))

    assert found is not None
    assert found.due.tolist() == [2, 2.5, 3]
    assert found.span == 3.5
    assert found.plan["kind"] == "profile"
    assert found.description == "a profile of 0 to 2 requests/s over 3.5 s, constant arrivals"


def test_without_any_option_there_is_no_schedule() -> None:
    assert schedule() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "1"], "--rate needs --for SECONDS."),
        (["--rate", "1", "--ramp", "1:2", "--for", "1"], "Use --rate or --ramp, not both."),
        (["--ramp", "1", "--for", "1"], "--ramp '1' is not two rates such as 10:200."),
        (["--ramp", "1:x", "--for", "1"], "--ramp '1:x' is not two rates such as 10:200."),
        (["--for", "1"], "--for needs --rate, --ramp or --profile."),
        (["--arrivals", "poisson"], "--arrivals needs --rate, --ramp or --profile."),
        (["--profile", "nothing.csv"], "'nothing.csv' cannot be read: No such file or directory."),
        (["--profile", "x.csv", "--for", "1"],
         "--for does not go with --profile: the last row of the file ends it."),
        (["--rate", "-1", "--for", "1"], "Rates and times must be 0 or more."),
        (["--rate", "0.001", "--for", "1", "--arrivals", "poisson"],
         "No request is due. Use a higher rate or more time."),
        (["--rate", "1", "--for", "1", "--arrivals", "poisson", "--seed", "1"],
         "No request is due with this seed. Use a higher rate or more time."),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        schedule(*arguments)

    assert str(raised.value) == message
