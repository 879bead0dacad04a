"""Tables of several forecasts, through the command."""

import json
from pathlib import Path

import pytest

from local.simulation.cli import forecast

PLAN = ["--rate", "20", "--for", "600"]


@pytest.fixture
def measured(tmp_path: Path) -> list[str]:
    """Options with measured durations of two sizes on x86_64 and one on arm64."""
    sizes = [
        {"memory_mb": 512, "cold_ms": 1800, "warm_ms": 60},
        {"memory_mb": 1769, "cold_ms": 400, "warm_ms": 15},
    ]
    intel, arm = tmp_path / "intel.json", tmp_path / "arm.json"
    intel.write_text(json.dumps({"sizes": sizes, "architecture": "x86_64"}))
    arm.write_text('{"memory_mb": 1769, "cold_ms": 440, "warm_ms": 20, "architecture": "arm64"}')
    return ["--measured", str(intel), "--measured", str(arm)]


def rows(text: str) -> list[list[str]]:
    """The cells of the table without its rule."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "--" not in line
    ]


def test_sizes_and_architectures_are_in_one_table(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = forecast([*PLAN, *measured, "--sizes", "1769,512,1024", "--target", "p99<50"])

    text = capsys.readouterr().out
    header, *table = rows(text)
    assert [row[:5] for row in table] == [
        ["512", "0.29", "x86_64", "itself", "60.0"],
        ["512", "0.29", "arm64", "1,769 MB", "69.1"],
        ["1,024", "0.58", "x86_64", "1,769 MB", "25.9"],
        ["1,024", "0.58", "arm64", "1,769 MB", "34.6"],
        ["1,769", "1.00", "x86_64", "itself", "15.0"],
        ["1,769", "1.00", "arm64", "itself", "20.0"],
    ]
    assert header[-1] == "p99<50"
    assert [row[-1] for row in table] == ["no", "no", "yes", "yes", "yes", "yes"]
    # Then the cheapest of those that meet the target is named
    months = {tuple(row[:3:2]): float(row[-2]) for row in table if row[-1] == "yes"}
    memory, architecture = min(months, key=lambda row: months[row])
    assert f"The cheapest with p99<50: {memory} MB, {architecture}, 0 provisioned" in text
    assert status == 0


def test_the_cheapest_without_a_month_has_the_cost_of_the_run(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # given: requests that are all due at once, and cost less than a cent
    plan = ["-N", "100", "-T", "0", "-R", "1", "--costs", "compute"]
    forecast([*plan, *measured, "--sizes", "512,1769", "--target", "p99<2000"])
    # 100 requests at 0.20 USD a million, and 100 cold starts of 440 ms with 1.7275 GB on arm64
    usd = 100 * 0.2e-6 + 100 * 0.44 * 1769 / 1024 * 0.0000133334
    assert f"1,769 MB, arm64, 0 provisioned, {usd:.6f} USD\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("memory", "expected"), [(["--memory", "1024"], ["40.0", "20.0", "11.6"]),
                             ([], ["69.1", "34.6", "20.0"])]
)  # fmt: skip
def test_given_durations_are_those_of_the_given_memory_or_one_vcpu(
    memory: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--warm-ms", "20", "--cold-ms", "400", *memory]

    forecast([*PLAN, *given, "--sizes", "512,1024,1769", "--architecture", "arm64"])

    _, *table = rows(capsys.readouterr().out)
    assert [(row[2], row[4]) for row in table] == [("arm64", p50) for p50 in expected]


def test_provisioned_environments_are_in_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "table.json"
    plan = ["-N", "20", "-T", "1", "-R", "60", "--warm-ms", "25", "--cold-ms", "900"]

    forecast([*plan, "--provisioned", "0:20:10", "--reserved", "20", "--json", str(file)])

    header, *table = rows(capsys.readouterr().out)
    assert header == [
        "provisioned", "p50 ms", "p99 ms", "cold starts", "throttled", "USD per million",
        "USD per month",
    ]  # fmt: skip
    assert [row[0] for row in table] == ["0", "10", "20"]
    assert [row[2] for row in table] == ["900.0", "25.0", "25.0"]
    assert [row[3] for row in table] == ["20", "10", "0"]
    content = json.loads(file.read_text())
    assert [row["limits"]["provisioned"] for row in content["rows"]] == [0, 10, 20]
    assert [f"{row['month']['usd']:,.2f}" for row in content["rows"]] == [row[-1] for row in table]


def test_the_cheapest_says_that_it_throttles(capsys: pytest.CaptureFixture[str]) -> None:
    # given: 20 requests at once, of which the function answers 5
    limited = ["-N", "20", "-T", "1", "-R", "3", "--reserved", "5", "--sizes", "512,1769"]

    forecast([*limited, "--warm-ms", "25", "--cold-ms", "25", "--target", "p99<500"])

    assert capsys.readouterr().out.splitlines()[-1].endswith(" a month; but it throttles 75.0%")


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["--target", "p99<30"], 0, "Target p99<30 met"),
        (["--target", "p99<20"], 3, "Target not met: p99<20: it was 25.0 ms"),
        (["--target", "p99<20", "--provisioned", "0,5"], 3, "Target not met: no row has p99<20."),
        (["--target", "failures<1%"], 0, "Target failures<1% met"),
        (["--target", "rate>=30"], 3, "Target not met: rate>=30: it was 20.0/s"),
    ],
)
def test_a_target_that_is_not_met_ends_with_status_3(
    arguments: list[str], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    durations = ["--warm-ms", "25", "--cold-ms", "25"]

    assert forecast([*PLAN, *durations, *arguments]) == status
    assert capsys.readouterr().out.splitlines()[-1] == line
