"""The command line, and a complete run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.benchmark.cli import benchmark
from local.benchmark.rounds import medians, with_baseline_ratio
from local.benchmark.servers.server import SERVICE
from local.benchmark.tables import report
from local.common.cli import main
from tests.benchmark.figures import figures
from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local.benchmark", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * HANG_SECONDS,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "'0' is not a whole number from 1 to 100"),
        (["--seconds", "1.5"], "'1.5' is not a whole number from 1 to 60"),
        (
            ["--only", "service,nothing"],
            "'nothing' is unknown. Choose from load, large, start, service, naive",
        ),
        (["--only", "litserve"], "--only litserve needs --peers"),
        (["--only", "naive", "--fp32", "no.onnx"], "no.onnx is missing. Run: make build/fp32.onnx"),
        (["--images", "no-folder"], "'no-folder' is not a folder"),
        (["--json", "no-folder/file"], "'no-folder/file' cannot be written"),
        (["--table", "no-file"], "no-file cannot be read"),
        (["--table", "README.md"], "README.md was not written by --json"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_invalid_arguments_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(lambda: benchmark("", arguments))
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_invalid_arguments_exit_2_in_the_shell() -> None:
    done = run("--rounds", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: argument --rounds: '0' is not a whole number")


def test_table_option_prints_the_tables_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(figures()))
    done = run("--table", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == report(figures())


@pytest.mark.slow
def test_run_without_the_tutorial_app(tmp_path: Path) -> None:
    # when
    path = tmp_path / "figures.json"
    short = ("--rounds", 1, "--seconds", 1, "--fp32", tmp_path / "missing.onnx")
    done = run(*short, "--only", "load,start", "--json", path)
    # then
    assert "skipping the tutorial app" in done.stderr
    assert "make build/fp32.onnx" in done.stderr
    measured = json.loads(path.read_text())
    assert done.stdout.startswith(report(measured))

    service = measured["servers"]["service"]
    for load in (service["at_2"], service["at_8"]):
        assert load["failed"] == 0
        assert load["requests_s"] > 0
        assert load["cpu_ms"] > 0
        assert load["cpu_of_baseline"] > 0
        assert 0 < load["p50_ms"] <= load["p99_ms"]
    assert service["processes"] >= 1
    assert service["peak_mb"] > 50
    baseline = measured["baseline"]
    assert baseline["images_s"] > 0
    assert baseline["busy_images_s"] > 0
    assert 0 < baseline["busy_p50_ms"] <= baseline["busy_p99_ms"]

    handler = measured["start"]["handler"]
    assert all(value > 0 for value in handler["parts_ms"].values())
    assert sum(handler["parts_ms"].values()) <= handler["ms"]

    # the verdict depends on the machine; the exit status matches it
    verdict = done.stdout.removeprefix(report(measured)).splitlines()
    missed = any(line.endswith("missed") for line in verdict)
    assert done.returncode == missed, done.stderr
    assert [line for line in verdict if line.startswith("CPU a request / baseline ")]
    assert [line for line in verdict if line.startswith("failed requests ")]
    assert verdict[-1] == (
        "not measured: requests/s at 8 connections / tutorial app, "
        "CPU of a 12-megapixel JPEG / tutorial app, cold start / tutorial app"
    )


def test_service_command_matches_make_run() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = [line for line in makefile.splitlines() if "classifier.server" in line]
    started = recipe.partition("/python ")[2].replace("$(HOST)", "127.0.0.1")
    assert SERVICE.command == "{python} " + started.replace("$(PORT)", "{port}")


def test_medians_of_each_number_and_sum_of_failures() -> None:
    rounds = [
        {"peak_mb": peak, "at_2": {"cpu_ms": cpu, "failed": failed}}
        for peak, cpu, failed in [(100, 9.0, 0), (300, 8.0, 2), (110, 30.0, 1)]
    ]
    assert medians(rounds) == {"peak_mb": 110, "at_2": {"cpu_ms": 9.0, "failed": 3}}


def test_cpu_is_divided_by_the_adjacent_baseline() -> None:
    load = {"cpu_ms": 12.0, "requests_s": 100.0}
    assert with_baseline_ratio(load, baseline_cpu_ms=10) == {**load, "cpu_of_baseline": 1.2}
