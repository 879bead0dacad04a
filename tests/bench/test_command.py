"""The command line, and a whole run of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.bench.measure import beside, medians
from local.bench.servers import SERVICE
from local.bench.table import report
from tests.bench.figures import figures
from tests.support.paths import ROOT


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local.benchmark", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "'0' is not a whole number from 1 to 100"),
        (["--seconds", "1.5"], "'1.5' is not a whole number from 1 to 60"),
        (["--only", "service,nothing"], "'nothing' is none of load, large, start, service, naive"),
        (["--only", "litserve"], "--only litserve needs --peers"),
        (["--only", "naive", "--fp32", "no.onnx"], "no.onnx is missing; `make build/fp32.onnx`"),
        (["--images", "no-folder"], "there is no folder 'no-folder'"),
        (["--json", "no-folder/file"], "'no-folder/file' cannot be written"),
        (["--table", "no-file"], "no-file cannot be read"),
        (["--table", "README.md"], "README.md is not a file that --json has written"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_tables_can_be_made_again_of_the_figures(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(figures()))
    done = run("--table", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == report(figures())


def test_a_run_without_the_tutorial_app(tmp_path: Path) -> None:
    # when
    path = tmp_path / "figures.json"
    short = ("--rounds", 1, "--seconds", 1, "--fp32", tmp_path / "missing.onnx")
    done = run(*short, "--only", "load,start", "--json", path)
    # then
    assert done.returncode == 0, done.stderr
    assert "no tutorial app" in done.stderr
    assert "make build/fp32.onnx" in done.stderr
    measured = json.loads(path.read_text())
    assert done.stdout == report(measured)

    service = measured["servers"]["service"]
    assert service["at_2"]["failed"] == service["at_8"]["failed"] == 0
    assert service["at_2"]["requests_s"] > 1
    assert 0 < service["at_2"]["p50_ms"] <= service["at_2"]["p99_ms"]
    assert service["processes"] >= 1
    assert 50 < service["peak_mb"] < 1000
    floor = measured["floor"]
    assert floor["busy_images_s"] > 0
    assert 0 < floor["busy_p50_ms"] <= floor["busy_p99_ms"]
    assert 0.5 < service["at_8"]["cpu_of_floor"] < 3

    handler = measured["start"]["handler"]
    assert 0.7 * handler["ms"] < sum(handler["parts_ms"].values()) < handler["ms"]
    assert all(value > 0 for value in handler["parts_ms"].values())


def test_the_service_is_started_as_make_run_starts_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = [line for line in makefile.splitlines() if "uvicorn --app-dir" in line]
    started = recipe.partition("uvicorn ")[2].replace("$(HOST)", "127.0.0.1")
    assert SERVICE.command == "{python} -m uvicorn " + started.replace("$(PORT)", "{port}")


def test_medians_are_of_each_number_and_failures_add_up() -> None:
    rounds = [
        {"peak_mb": peak, "at_2": {"cpu_ms": cpu, "failed": failed}}
        for peak, cpu, failed in [(100, 9.0, 0), (300, 8.0, 2), (110, 30.0, 1)]
    ]
    assert medians(rounds) == {"peak_mb": 110, "at_2": {"cpu_ms": 9.0, "failed": 3}}


def test_cpu_is_compared_with_the_floor_right_beside() -> None:
    load = {"cpu_ms": 12.0, "requests_s": 100.0}
    assert beside(load, floor_cpu_ms=10) == {**load, "cpu_of_floor": 1.2}
