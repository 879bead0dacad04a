"""The command line: documented commands as subprocesses, the rest in this process."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from local.common.cli import UsageError, main
from local.simulation.cli import forecast
from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS

PLAN = ["-N", "100", "-T", "1", "-R", "60"]
DURATIONS = ["--warm-ms", "25", "--cold-ms", "1500"]


def run(
    *arguments: str, script: str = "local/forecast.py", folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "folder"), [("local/forecast.py", ROOT), ("forecast.py", ROOT / "local")]
)
def test_works_from_the_root_and_from_its_own_folder(script: str, folder: Path) -> None:
    done = run(*PLAN, *DURATIONS, script=script, folder=folder)

    assert done.returncode == 0, done.stderr
    assert "Cold starts             200 (3.33 % of the answered), the last at 1 s" in done.stdout
    assert done.stderr == ""


def test_json_file_has_inputs_and_results(tmp_path: Path) -> None:
    file = tmp_path / "forecast.json"
    options = ["--memory", "2048", "--architecture", "arm64", "--reserved", "150"]
    more = ["--provisioned", "20", "--idle-minutes", "2", "--seed", "5"]

    forecast([*PLAN, *DURATIONS, *options, *more, "--json", str(file)])

    figures = json.loads(file.read_text())
    assert figures["plan"] == {"kind": "waves", "parallel": 100, "period_s": 1.0, "repeat": 60}
    assert figures["limits"]["concurrency"] == 150
    assert figures["limits"]["provisioned"] == figures["function"]["provisioned"] == 20
    assert figures["limits"]["idle_seconds"] == 120
    assert figures["function"]["memory_mb"] == 2048
    assert figures["function"]["architecture"] == "arm64"
    assert figures["seed"] == 5
    assert figures["failures"] == 30
    assert figures["cold_starts"] == 130


def test_options_take_precedence_over_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured, file = tmp_path / "measured.json", tmp_path / "forecast.json"
    measured.write_text('{"cold_ms": [1400, 1600], "warm_ms": 25, "memory_mb": 1769}')

    forecast(
        ["--measured", str(measured), "--warm-ms", "30", "--memory", "512", "--json", str(file)]
    )

    assert json.loads(file.read_text())["durations"] == {
        "cold": "2 measured, 1400 to 1600 ms, times 3.455",
        "warm": "30 ms, constant",
    }
    assert (
        "No durations were measured with 512 MB on x86_64: they are those of 1,769 MB, scaled by"
        in capsys.readouterr().out
    )


def test_durations_of_the_other_architecture_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path / "measured.json"
    measured.write_text(
        '{"cold_ms": 400, "warm_ms": 25, "memory_mb": 1769, "architecture": "x86_64"}'
    )

    forecast(["--measured", str(measured), "--architecture", "arm64"])

    assert (
        "No durations were measured with 1,769 MB on arm64: they are those of x86_64."
        in capsys.readouterr().out
    )


def test_compare_option_adds_the_measured_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = tmp_path / "report.json"
    load.write_text('{"requests": 6000, "failures": 0, "latency_ms": {"p50": 50.0}}')

    forecast([*PLAN, *DURATIONS, "--compare", str(load)])

    assert capsys.readouterr().out.splitlines()[-1].split() == [
        "latency",
        "p50,",
        "ms",
        "25.0",
        "50.0",
        "2.000",
    ]


@pytest.mark.parametrize("content", ["{}", '{"status": "found"}', '{"latency_ms": []}'])
def test_other_files_are_not_compared(content: str, tmp_path: Path) -> None:
    load = tmp_path / "capacity.json"
    load.write_text(content)

    with pytest.raises(UsageError, match="is not the report of a load test"):
        forecast([*PLAN, *DURATIONS, "--compare", str(load)])


def test_figures_that_are_no_numbers_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = tmp_path / "report.json"
    figures = f'"requests": 1{"0" * 400}, "failures": true, "throughput_rps": NaN'
    load.write_text(f'{{{figures}, "latency_ms": {{"p50": 50, "p99": 1e999}}}}')

    forecast([*PLAN, *DURATIONS, "--compare", str(load)])

    *_, head, only = capsys.readouterr().out.splitlines()
    assert head.startswith("Against the measurement")
    assert only.split()[:2] == ["latency", "p50,"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([],
         "set --warm-ms, or --measured to a file with warm_ms, such as "
         "docs/measured/lambda.json"),
        (["--warm-ms", "25"],
         "set --cold-ms, or --measured to a file with cold_ms, such as "
         "docs/measured/lambda.json"),
        (["-N", "0"], "argument -N: '0' is not a whole number from 1 to 10,000,000"),
        (["-N", "2.5"], "argument -N: '2.5' is not a whole number from 1 to 10,000,000"),
        (["-R", "-1"], "argument -R: '-1' is not a whole number from 1 to 10,000,000"),
        (["-T", "-1"], "argument -T: '-1' is not a number from 0 to 1,000,000,000"),
        (["-T", "nan"], "argument -T: 'nan' is not a number from 0 to 1,000,000,000"),
        (["--memory", "127"], "argument --memory: '127' is not a whole number from 128 to 10,240"),
        (["--memory", "10241"],
         "argument --memory: '10241' is not a whole number from 128 to 10,240"),
        (["--warm-ms", "60/25"], "argument --warm-ms: p99 (25 ms) is below p50 (60 ms)"),
        ([*DURATIONS, "-N", "5000", "-R", "5000"],
         "A run has at most 20,000,000 requests; this one has 25,000,000. Use a smaller N or R."),
        ([*DURATIONS, "-T", "1000000", "-R", "1000000"],
         "A plan takes at most 1,000,000,000 seconds."),
        ([*DURATIONS, "--reserved", "901"],
         "--reserved 901 must be at most 900: AWS keeps 100 of the account's 1000 unreserved"),
        ([*DURATIONS, "--reserved", "5", "--provisioned", "6"],
         "--provisioned 6 must be at most 5 (--reserved)"),
        ([*DURATIONS, "--provisioned", "901"],
         "--provisioned 901 must be at most 900 (--concurrency-limit less 100)"),
        (["--measured", "nothing.json"],
         "nothing.json cannot be read: No such file or directory"),
        ([*DURATIONS, "--compare", "nothing.json"],
         "nothing.json cannot be read: No such file or directory"),
        ([*DURATIONS, "--json", "nowhere/forecast.json"],
         "'nowhere/forecast.json' cannot be written. Name a file in an existing, writable folder."),
        ([*DURATIONS, "--rate", "10", "--ramp", "1:2"], "Use one of --rate and --ramp."),
        ([*DURATIONS, "--rate", "10", "--for", "60", "-N", "3"],
         "Use -N or a rate, not both: waves follow from -N, -T and -R."),
        ([*DURATIONS, "--replay", "no.log"],
         "'no.log' cannot be read: No such file or directory."),
        ([*DURATIONS, "--sizes", "512,100"],
         "argument --sizes: '100' is not a whole number from 128 to 10,240"),
        ([*DURATIONS, "--provisioned", "10:0:5"],
         "argument --provisioned: '10:0:5' is not FROM:TO:STEP such as 0:100:10"),
        ([*DURATIONS, "--provisioned", "0:900:1"],
         "argument --provisioned: '0:900:1' has more than 200 values"),
        ([*DURATIONS, "--sizes", "512,1024", "--provisioned", "0,5"],
         "--sizes needs one value of --provisioned: a table has one of the two."),
        ([*DURATIONS, "--sizes", "512,1024", "--plot", "forecast.png"],
         "--plot needs one memory size and one value of --provisioned."),
        ([*DURATIONS, "--target", "service_p99<500"],
         "--target service_p99<500: a forecast has only latencies, such as p99."),
        ([*DURATIONS, "--hours-per-day", "25"],
         "argument --hours-per-day: '25' is not a number above 0, up to 24"),
        ([*DURATIONS, "--rate", "1", "--for", "7200", "--hours-per-day", "1"],
         "The plan takes 2.00 hours. --hours-per-day must be as much or more; it is 1."),
        ([*DURATIONS, "--costs", "compute,disk"],
         "argument --costs: 'disk' is not all or one of compute, api, logs, metrics, s3, "
         "transfer, alarms"),
        ([*DURATIONS, "--stored", "110%"],
         "argument --stored: '110%' is more than 100%; write 1% or 0.01"),
        ([*DURATIONS, "--results"], "--results needs --objects"),
        ([*DURATIONS, "--concurrency", "10"], "--concurrency needs --objects"),
        ([*DURATIONS, "--manifest", "csv"], "--manifest needs --objects"),
        ([*DURATIONS, "--objects", "10", "-R", "2"],
         "Use --objects, or waves or a rate: a job of S3 has no due times."),
        ([*DURATIONS, "--objects", "10", "--target", "p99<100"],
         "--target cannot be combined with --objects"),
        ([*DURATIONS, "--objects", "10", "--idle-minutes", "1"],
         "--idle-minutes cannot be combined with --objects"),
        ([*DURATIONS, "--objects", "10", "--hours-per-day", "1"],
         "--hours-per-day cannot be combined with --objects"),
        ([*DURATIONS, "--objects", "10", "--concurrency", "1001"],
         "--concurrency 1001 must be at most 1000, the account's --concurrency-limit"),
        (["--quick"], "unrecognized arguments: --quick"),
    ],
)  # fmt: skip
def test_invalid_arguments_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(lambda: forecast(arguments))

    assert capsys.readouterr().err.removesuffix(" (see --help)\n").strip() == f"error: {message}"
    assert ended.value.code == 2


def test_invalid_arguments_exit_2_in_the_shell() -> None:
    done = run("-N", "0")

    assert (
        done.stderr
        == "error: argument -N: '0' is not a whole number from 1 to 10,000,000 (see --help)\n"
    )
    assert done.stdout == ""
    assert done.returncode == 2


def test_help_shows_examples_that_work(tmp_path: Path) -> None:
    (tmp_path / "durations.json").write_text('{"cold_ms": [1480, 1512], "warm_ms": [25, 26]}')
    (tmp_path / "report.json").write_text('{"requests": 240}')
    (tmp_path / "profile.csv").write_text("0,10\n60,20\n")
    shown = run("--help")
    assert shown.returncode == 0
    assert "python forecast.py -N 100 -T 1 -R 60 --warm-ms 25 --cold-ms 1500\n" in shown.stdout
    text = shown.stdout.replace("\\\n", " ")
    examples = [shlex.split(line)[2:] for line in text.splitlines() if "python forecast.py" in line]

    assert len(examples) == 8
    for example in examples:
        without_plot = example[: example.index("--plot")] if "--plot" in example else example
        done = run(*without_plot, script=str(ROOT / "local/forecast.py"), folder=tmp_path)
        assert done.returncode == 0, done.stderr


def test_figures_option_lists_aws_figures(capsys: pytest.CaptureFixture[str]) -> None:
    forecast(["--figures"])

    assert capsys.readouterr().out.startswith("AWS figures, us-east-1")


def test_plot_option_writes_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "forecast.png"

    forecast([*PLAN, "--warm-ms", "25/60", "--cold-ms", "1500/4000", "--plot", str(file)])

    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 10_000


@pytest.mark.parametrize("concurrency", ["1", "1000"])
def test_one_request_can_be_plotted(tmp_path: Path, concurrency: str) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "forecast.svg"

    forecast([*DURATIONS, "--concurrency-limit", concurrency, "--plot", str(file)])

    assert "<svg" in file.read_text()


@pytest.mark.parametrize("name", ["forecast.xyz", "forecast"])
def test_unknown_plot_format_exits_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")

    with pytest.raises(SystemExit) as ended:
        main(lambda: forecast([*DURATIONS, "--plot", str(tmp_path / name)]))

    out, error = capsys.readouterr()
    assert ended.value.code == 2
    assert len(error.splitlines()) == 1
    assert name in error
    # before the simulation
    assert out == ""


def test_name_of_a_log_is_no_mathematics_in_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    log, file = tmp_path / r"$\bad$.log", tmp_path / "forecast.svg"
    log.write_text('{"time": 1}\n{"time": 2}\n')

    forecast([*DURATIONS, "--replay", str(log), "--plot", str(file)])

    assert "<svg" in file.read_text()


def test_measured_file_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    measured = tmp_path / "measured.json"
    measured.write_text("[" * 10**5)

    with pytest.raises(UsageError, match="is not JSON"):
        forecast([*DURATIONS, "--measured", str(measured)])


def test_plot_without_matplotlib_exits_2(tmp_path: Path) -> None:
    # Given a matplotlib that cannot be imported
    (tmp_path / "matplotlib.py").write_text("raise ImportError('none here')")

    done = subprocess.run(
        [sys.executable, str(ROOT / "local/forecast.py"), *DURATIONS, "--plot", "forecast.png"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=HANG_SECONDS, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr == (
        "error: --plot needs matplotlib (pip install -r requirements.txt): none here (see --help)\n"
    )
    assert "Total" in done.stdout


def test_a_new_account_throttles_490_of_500_requests_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    forecast([*DURATIONS, "-N", "500"])
    usual = " ".join(capsys.readouterr().out.split())
    forecast([*DURATIONS, "-N", "500", "--concurrency-limit", "10"])
    new = " ".join(capsys.readouterr().out.split())

    assert "Throttled (429) 0 (0.00 %)" in usual
    assert "of 500 at once, 490 are throttled (--concurrency-limit 10)." in usual
    assert "Throttled (429) 490 (98.00 %), concurrency 490" in new


def test_each_service_has_a_line_in_the_bill(capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--http-api", "100", "--stored", "10%", "--alarms", "6"]

    forecast([*PLAN, *DURATIONS, *more])
    whole = capsys.readouterr().out
    forecast([*PLAN, *DURATIONS, *more, "--costs", "api,logs"])
    part = capsys.readouterr().out

    services = ("HTTP API", "Logs", "Metrics", "S3", "Traffic", "Alarms, dashboards", "Duration")
    assert all(f"\n  {name}  " in whole for name in services)
    assert [name for name in services if f"\n  {name}  " in part] == ["HTTP API", "Logs"]


def test_a_job_of_s3_batch_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "forecast.json"
    plan = ["--objects", "10000", "--concurrency", "50", "--retry-rate", "2%", "--s3-ms", "75"]

    forecast([*plan, *DURATIONS, "--json", str(file)])

    text = capsys.readouterr().out
    figures = json.loads(file.read_text())
    # 1.575 s, and (10,200 - 50) / 50 times 0.1 s
    assert "10,000 objects, 50 at once, 2.00 % run again" in text
    assert "By arithmetic           21.9 s, limited by the concurrency" in text
    assert "By simulation           21.9 s" in text
    assert figures["seconds"] == pytest.approx(21.875)
    assert figures["invocations"] == 10_200
    assert figures["cost_usd"]["S3 Batch: job"] == 0.25


def test_a_job_in_a_table_of_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "forecast.json"
    plan = ["--objects", "10000", "--sizes", "512,1769", "--architecture", "arm64"]

    forecast([*plan, *DURATIONS, "--json", str(file)])

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["arm64", "arm64"]
    rows = json.loads(file.read_text())["rows"]
    assert [row["function"]["memory_mb"] for row in rows] == [512, 1769]
    assert rows[0]["seconds"] > rows[1]["seconds"]


def test_a_job_that_s3_cannot_serve_from_one_prefix_is_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    forecast(["--objects", "1000000", "--concurrency", "1000", "--s3-ms", "20", *DURATIONS])

    text = " ".join(capsys.readouterr().out.split())
    assert "It serves 5,500 for each prefix before it has to scale" in text
    assert "Lambda accepts 10 requests a second for each unit of concurrency" in text


def test_every_request_of_a_large_plan_is_answered_or_throttled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "forecast.json"
    plan = ["-N", "1000", "-T", "0.5", "-R", "200", "--warm-ms", "25/60", "--cold-ms", "1500/4000"]

    forecast([*plan, "--concurrency-limit", "1500", "--json", str(file)])

    figures = json.loads(file.read_text())
    assert "200,000 requests" in capsys.readouterr().out
    assert figures["requests"] == figures["answered"] + figures["failures"] == 200_000
    assert figures["failures"] == sum(figures["throttled"].values()) > 0
