"""run_rate_test.py: steady rates, ramps, profiles and replays."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from local.common.cli import UsageError
from local.loadtest.access_log import read_access_log
from local.loadtest.profile import read_profile
from local.loadtest.schedule import RateProfile, WavePlan
from tests.support.scripts import measured, refused, script
from tests.support.stub import Stub

RATE = "local/run_rate_test.py"

COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:{:02} -0700] "GET / HTTP/1.0" 200 2326'


def file_of(folder: Path, *lines: str) -> Path:
    path = folder / "given"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# Schedules


def test_waves_are_due_at_absolute_times() -> None:
    schedule = WavePlan(parallel=3, period=0.25, repeat=1000).schedule()
    assert schedule.due[[0, 2, 3, 2999]].tolist() == [0, 0, 0.25, 249.75]
    assert (schedule.requests, schedule.offered_rps, schedule.most_at_once) == (3000, 12, 3)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        *(((0, 1, 1), "N must be"), ((-1, 1, 1), "N must be")),
        *(((1, -1, 1), "T must be"), ((1, math.nan, 1), "T must be"), ((1, math.inf, 1), "T must")),
        *(((1, 1, 0), "R must be"), ((1, 1, -3), "R must be")),
        ((1, 0, 100_000_000), "A run has at most 20,000,000 requests; this one has 100,000,000."),
    ],
)
def test_invalid_waves_are_refused(plan: tuple[int, float, int], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        WavePlan(*plan)


def test_constant_arrivals_have_equal_intervals() -> None:
    schedule = RateProfile.steady(50, 4).schedule()
    assert schedule.due == pytest.approx(np.arange(200) / 50)
    assert (schedule.span, schedule.offered_rps) == (4, 50)
    assert schedule.description == "50 requests/s for 4 s, constant arrivals"


def test_poisson_arrivals_have_exponential_intervals() -> None:
    """Their mean and standard deviation are 1 / rate, and their distribution passes a test of
    Kolmogorov and Smirnov at 0.1 % (critical value 1.95 / sqrt(n))."""
    due = RateProfile.steady(100, 200).schedule("poisson", seed=7).due
    gaps = np.sort(np.diff(due))
    count = len(gaps)
    assert count == pytest.approx(20_000, abs=5 * math.sqrt(20_000))
    assert gaps.mean() == pytest.approx(0.01, rel=0.03)
    assert gaps.std() == pytest.approx(0.01, rel=0.05)
    expected = 1 - np.exp(-100 * gaps)
    steps = np.arange(count)
    distance = max((expected - steps / count).max(), ((steps + 1) / count - expected).max())
    assert distance < 1.95 / math.sqrt(count)


def test_poisson_arrivals_depend_on_the_seed_only() -> None:
    profile = RateProfile.steady(100, 2)
    first, again, other = (profile.due("poisson", seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_poisson_process_without_arrivals_is_refused() -> None:
    profile = RateProfile.steady(1, 1)
    counts = [len(profile.due("poisson", seed)) for seed in range(20)]
    with pytest.raises(UsageError, match=r"^No request is due with this seed\."):
        profile.schedule("poisson", counts.index(0))


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_ramp_follows_the_integral_of_the_rate(arrivals: str) -> None:
    # given: 10 to 200 requests/s in 100 s; the integral is 10 t + 0.95 t^2
    due = RateProfile.ramp(10, 200, 100).due(arrivals, seed=3)  # type: ignore[arg-type]
    for end in (10, 50, 90):
        integral = 10 * end + 0.95 * end**2
        allowed = 1 if arrivals == "constant" else 5 * math.sqrt(integral)
        assert (due < end).sum() == pytest.approx(integral, abs=allowed)


# Files


@pytest.mark.parametrize("header", [(), ("seconds,rate",), ("Seconds, Rate",)])
def test_profile_is_read(header: Sequence[str], tmp_path: Path) -> None:
    profile = read_profile(file_of(tmp_path, *header, "0,10", "", "30, 10", "30,50", "60,0"))
    assert profile.times.tolist() == [0, 30, 30, 60]
    assert profile.rates.tolist() == [10, 10, 50, 0]
    assert profile.requests == 300 + 750
    schedule = profile.schedule()
    assert schedule.description == ("a profile of 0 to 50 requests/s over 60 s, constant arrivals")
    assert schedule.plan["kind"] == "profile"
    json.dumps(schedule.plan)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "must have two rows or more, with seconds,rate."),
        (("0,10",), "must have two rows or more"),
        (("0,10", "x,5"), "line 2: 'x,5' is not two numbers, seconds,rate."),
        (("seconds,rate", "0,10", "5"), "line 3: '5' is not two numbers"),
        (("0,10", "5,10,3"), "line 2: '5,10,3' is not two numbers"),
        (("0,10", "5,-1"), "line 2: '5,-1' must be two numbers of 0 or more"),
        (("0,10", "inf,1"), "line 2: 'inf,1' must be two numbers"),
        (("1,10", "5,10"), "line 1: the first time must be 0; it is 1."),
        (("0,10", "5,10", "4,1"), "line 3: the times must ascend; 4 comes after 5."),
        (("0,0", "5,0"), "No request is due. Use a higher rate or more time."),
        (("0,1e9", "5,1e9"), "A run has at most 20,000,000 requests"),
        (("0,5", "1,5", "1,1e308", "1,1e308", "2,5"), "A rate is at most 1,000,000 requests/s"),
        (("0,0", "1e-320,5", "1,5"), "Times must be a microsecond or more apart."),
    ],
)
def test_wrong_profiles_are_refused(lines: Sequence[str], message: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, *lines)
    with pytest.raises(UsageError) as wrong:
        read_profile(path)
    assert str(wrong.value).startswith(repr(str(path)))
    assert message in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_times_of_a_combined_log_are_replayed(tmp_path: Path) -> None:
    # given: two requests in one second, one in the next, one a minute later
    lines = [COMMON.format(second) + ' "http://x/" "curl"' for second in (1, 1, 2)]
    path = file_of(tmp_path, *lines, COMMON.replace("13:55", "13:56").format(1))
    assert read_access_log(path).due.tolist() == [0, 0.5, 1, 60]
    assert read_access_log(path, speed=2).due.tolist() == [0, 0.25, 0.5, 30]


@pytest.mark.parametrize(
    "times",
    [
        ('{"time":"2026-01-01T10:00:00.500+00:00"}', '{"time":"2026-01-01T10:00:01.750Z"}'),
        ('{"ts": 1700000000.5}', '{"ts": 1700000001.75}'),
        ('{"timestamp": 1700000000500}', '{"timestamp": 1700000001750}'),
        ('{"time": "1700000000.500"}', '{"time": "1700000001.750"}'),
        ('{"time": 20.5, "ms": 500}', '{"time": 21.5, "ms": 250}'),
        ('{"time": 1.75}', '{"time": 0.5}'),
        ('{"time": 1700000000500000}', '{"time": 1700000001750000}'),
        ('{"time": 1700000000500000000}', '{"time": 1700000001750000000}'),
        ('{"msec": 1700000000.5}', '{"msec": 1700000001.75}'),
        ('\ufeff{"time": 0.5, "ms": NaN}', '{"time": 1.75, "ms": Infinity}'),
    ],
)
def test_times_of_json_lines_are_replayed(times: Sequence[str], tmp_path: Path) -> None:
    schedule = read_access_log(file_of(tmp_path, *times, ""))
    assert schedule.due == pytest.approx([0, 1.25])
    assert schedule.span == pytest.approx(2.5)
    assert schedule.plan["kind"] == "replay"


@pytest.mark.parametrize("name", ["time_local", "time"])
def test_json_lines_may_have_the_time_of_the_common_format(name: str, tmp_path: Path) -> None:
    """As nginx's $time_local, or Apache's %t with its brackets."""
    time = (
        "10/Oct/2000:13:55:{:02} -0700" if name == "time_local" else "[10/Oct/2000:13:55:{:02} Z]"
    )
    path = file_of(tmp_path, *(f'{{"{name}": "{time.format(second)}"}}' for second in (1, 1, 3)))
    assert read_access_log(path).due.tolist() == [0, 0.5, 2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "has no requests. Name an access log."),
        ((COMMON.format(1), "GET /"), "line 2: no time found. Use the common or combined log"),
        (('{"time": 1}', "{"), "line 2: no time found."),
        (('{"time": 0, "ms": 1e999}', '{"time": -1.7e308, "ms": 1e308}', "{"), "line 3: no time"),
        (('{"time": -1.797e308, "ms": 1.797e308}',), "line 1: no time found."),
        (('{"time": "now"}',), "line 1: no time found."),
        (('{"status": 200}',), "line 1: no time found."),
        (('{"time": ' + "[" * 100_000,), "line 1: no time found."),
        (('{"time": 1' + "0" * 400 + "}",), "line 1: no time found."),
        ((COMMON.replace("Oct", "ctN").format(1),), "line 1: no time found."),
        ((COMMON.format(77),), "line 1: no time found."),
    ],
)
def test_wrong_logs_are_refused(lines: Sequence[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as wrong:
        read_access_log(file_of(tmp_path, *lines))
    assert message in str(wrong.value)


@pytest.mark.parametrize("times", [("0", "5e-324"), ("1", "1.0000000001")])
def test_requests_less_than_a_nanosecond_apart_are_due_at_once(
    times: Sequence[str], tmp_path: Path
) -> None:
    schedule = read_access_log(file_of(tmp_path, *(f'{{"time": {time}}}' for time in times)))
    assert schedule.due.tolist() == [0, 0]
    assert schedule.offered_rps is None


@pytest.mark.parametrize("speed", [0, -1, 1e-300, 1e300, math.inf, math.nan])
def test_speed_out_of_range_is_refused(speed: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--speed must be from 0\.000001 to 1,000,000; it is"):
        read_access_log(tmp_path, speed)


def test_replay_of_more_than_a_year_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, '{"time": -1e300}', '{"time": 0}')
    with pytest.raises(UsageError, match=r"A run takes at most a year; .* is due far later"):
        read_access_log(path)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    for read in (read_profile, read_access_log):
        with pytest.raises(UsageError, match="cannot be read: Is a directory"):
            read(tmp_path)
        with pytest.raises(UsageError, match="cannot be read: No such file"):
            read(tmp_path / "missing")


# The script


def test_requests_are_sent_at_the_rate(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(RATE, "--rate", 20, "--for", 1, "--url", stub.url, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(stub.received) == report["answered"] == 20
    assert report["offered_rps"] == 20
    assert "20 requests/s for 1 s, constant arrivals" in done.stdout


def test_replay_as_a_command(stub: Stub, tmp_path: Path) -> None:
    log = file_of(tmp_path, *(COMMON.format(second) for second in (1, 1, 2)))
    done = script(RATE, "--replay", log, "--speed", 10, "-V", "--header", "X-Load: yes",
                  "--api-key", "k3y", "--keep-alive", "--url", stub.url)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(stub.received) == 3
    headers = stub.received[0].headers
    assert (headers["x-load"], headers["authorization"]) == ("yes", "Bearer k3y")
    assert "connection" not in headers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rate", "0"), "No request is due. Use a higher rate or more time."),
        (("--rate", "-5"), "Rates and times must be finite numbers of 0 or more."),
        (("--rate", "nan"), "Rates and times must be finite numbers of 0 or more."),
        (("--for", "inf"), "Rates and times must be finite numbers of 0 or more."),
        (("--rate", "1e300", "--for", "1e-299"), "A rate is at most 1,000,000 requests/s"),
        (("--rate", "1e6", "--for", "9e-7"), "No request is due."),
        (("--ramp", "0:1e300"), "this one has far more. Use a lower rate"),
        (("--rate", "1e-7", "--for", "1e8"), "A run takes at most a year; the last request"),
        (("--for", "1e12"), "A run has at most 20,000,000 requests"),
        (("--rate", "1e308", "--for", "1e308"), "this one has far more. Use a lower rate"),
        (("--rate", "5", "--ramp", "1:2"), "Use one of --rate and --ramp."),
        (("--ramp", "5"), "'5' is not a ramp. Use two rates of 0 or more, such as 10:200."),
        (("--profile", "no.csv"), "'no.csv' cannot be read: No such file or directory."),
        (
            ("--profile", "no.csv", "--for", "5"),
            "--for needs --rate or --ramp; it cannot be combined",
        ),
        (("--replay", "no.log", "--arrivals", "poisson"), "--arrivals needs --rate or --ramp or"),
        (("--speed", "2"), "--speed needs --replay; it cannot be combined with --rate."),
        (("--seed", "2"), "--seed needs --arrivals poisson."),
        (("--seed", "x", "--arrivals", "poisson"), "argument --seed: 'x' is not a whole number"),
        (("--header", "X"), "--header 'X' is not a header."),
    ],
)
def test_invalid_arguments_exit_2(stub: Stub, arguments: Sequence[str], message: str) -> None:
    assert message in refused(RATE, *arguments, "--url", stub.url)
    assert stub.received == []
