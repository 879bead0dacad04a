"""The command that measures overload: `make overload`."""

import contextlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

from local.benchmark.client.loop_plan import LoopPlan
from local.benchmark.client.loop_result import LoopResult, Tally, loop_result
from local.benchmark.overload import cli, figures, open_loop, rounds
from local.benchmark.overload.bounds import full_queue_seconds
from local.benchmark.overload.figures import GOODPUT, TARGETS, figures_of, targets_of
from local.benchmark.overload.monitor import Probe, Sample, Watched, probe, sample, watching
from local.benchmark.overload.plan import (
    FULL,
    IMPATIENT,
    IMPATIENT_SECONDS,
    POLITE,
    QUICK,
    REFERENCE,
    Crowd,
    Effort,
)
from local.benchmark.overload.tables import goodput_table, polite_table, service_table
from local.benchmark.servers.processes import process_tree
from local.benchmark.servers.server import SERVICE, MeasurementError, Running
from local.common.cli import UsageError
from local.common.cpu import cpu_count
from local.loadtest.payload import Payload
from local.loadtest.run import ANSWERED, Run
from local.loadtest.schedule import Schedule
from tests.benchmark import overloads
from tests.benchmark.overloads import LIMITS, crowd, group, round_of
from tests.support.ports import free_port
from tests.support.runs import make_run
from tests.support.scripts import finish, interrupt, script, start
from tests.support.stub import Stub
from tests.support.threads import serving_in_thread
from tests.support.wait import wait_until

COMMAND = ("-m", "local.benchmark.overload")
MARK = "TEST_OVERLOAD"


def figures_for(*crowds: dict[str, Any], **of_open_loop: Any) -> dict[str, float]:
    return figures_of(round_of(*crowds), LIMITS, overloads.open_loop(**of_open_loop))


def test_each_crowd_is_compared_with_the_runs_beside_it() -> None:
    found = figures_for(crowd(300, goodput=90.0), crowd(4000, goodput=60.0, reference=80.0))
    assert found[GOODPUT[300]] == pytest.approx(0.9)
    assert found[GOODPUT[4000]] == pytest.approx(0.75)
    assert GOODPUT[512] not in found


def test_a_queue_takes_its_length_at_the_rate_after_a_second() -> None:
    assert full_queue_seconds(queue=256, threads=2, rate=100) == pytest.approx(3.58)
    assert full_queue_seconds(256, 2, 0) == math.inf


def test_the_tail_is_that_of_the_worst_overloaded_crowd() -> None:
    # 258 images at 100 and at 50 per second, after a second
    found = figures_for(
        crowd(8, accepted_p99_ms=99_000.0),
        crowd(512, accepted_p99_ms=1790.0),
        crowd(1000, accepted_p99_ms=7000.0, rate=50.0),
    )
    assert found[figures.TAIL] == pytest.approx(7 / (258 / 50 + 1))


def test_a_crowd_without_a_success_has_no_tail() -> None:
    assert figures_for(crowd(512, rate=0.0, goodput=0.0))[figures.TAIL] == math.inf


def test_the_worst_crowd_counts() -> None:
    slow = {path: {"slowest_ms": 150.0} for path in ("/healthz", "/metrics")}
    found = figures_for(
        crowd(300, memory_growth_mb=20.0, other=2, kb_a_connection=99.0),
        crowd(1000, recovery_s=None, probes=slow, probe_failures=["/healthz: 500"]),
    )
    assert found[figures.GROWTH] == 20
    assert found[figures.HEALTH] == found[figures.METRICS] == 150
    assert found[figures.OTHER] == 3
    assert found[figures.RECOVERY] == math.inf
    assert found[figures.CONNECTION] == 10  # of the most connections: there it is most exact


@pytest.mark.parametrize(
    ("polite", "others", "attempts", "time"),
    [
        (group(500, 400, 320), group(500, 1000, 400), 2.0, 1.25),
        (group(200, 400, 320), group(800, 1000, 400), 2.0, 0.3125),
        (group(500, 400, 320), group(500, 1000, 0), math.inf, 0.0),
        (group(500, 400, 0), group(500, 1000, 10), 0.0, math.inf),
        (group(500), group(500), math.inf, math.inf),
    ],
)
def test_polite_clients_are_compared_with_the_others(
    polite: dict[str, Any], others: dict[str, Any], attempts: float, time: float
) -> None:
    groups = {"polite": polite, "hammering": others}
    found = figures_for(crowd(1000, POLITE, groups=groups))
    assert found[figures.POLITE_ATTEMPTS] == pytest.approx(attempts)
    assert found[figures.POLITE_TIME] == pytest.approx(time)


def test_impatient_clients_have_their_own_target() -> None:
    found = figures_for(crowd(1000, IMPATIENT, goodput=50.0))
    assert found[figures.IMPATIENT_GOODPUT] == 0.5
    assert GOODPUT[1000] not in found


def test_the_open_loop_counts_losses_and_may_have_no_success() -> None:
    found = figures_for(
        crowd(512), losses={"reset": 2, "/metrics: 500": 1}, accepted=0, p99_of_bound=None
    )
    assert found[figures.LOST] == 3
    assert found[figures.OFFERED] == 500
    assert found[figures.OPEN_TAIL] == math.inf


@pytest.mark.parametrize("effort", [FULL, QUICK])
def test_every_target_has_a_figure(effort: Effort) -> None:
    found = figures_for(*(crowd(each.connections, each.kind) for each in effort.crowds))
    targets = targets_of(effort)
    assert {target.name for target in targets} == set(found)
    assert len(targets) == len(TARGETS) or effort is QUICK


def test_a_crowd_has_its_own_plan() -> None:
    effort = Effort((), seconds=10, reference_seconds=5, longest_warm_up=20)
    assert Crowd(REFERENCE).plan(effort).seconds == 5
    assert Crowd(300).plan(effort) == LoopPlan(300, 10, warm_up=4)
    assert Crowd(4000).plan(effort).warm_up == 20
    assert Crowd(1000, POLITE).plan(effort).polite == 500
    assert Crowd(1000, IMPATIENT).plan(effort).timeout == IMPATIENT_SECONDS


def load(start: float, end: float, cpu_s: float = 0.0, **failures: int) -> LoopResult:
    tally = Tally(clients=64)
    for _ in range(300):
        tally.add(200, 0.5, 2.0)
    tally.add(503, 1.5, 3.0)
    tally.failures.update(failures)
    return loop_result((start, end), cpu_s, tally, Tally())


WATCHED = Watched(
    {
        "/healthz": [
            Probe(0.0, 3.0, "200"),
            Probe(9.0, 2.0, "200"),
            Probe(13.0, 0.25, "500"),
            Probe(20.5, 9.0, "200"),
        ]
    },
    # half a CPU of the server, and a quarter idle
    [
        Sample(at, memory, 100 + at / 2, 7 + at / 4)
        for at, memory in enumerate([1, 9] * 5 + [4, 2] * 5)
    ]
    + [Sample(20.0, 8, 110.0, 12.0)],
)


def test_the_monitor_reports_the_slowest_request_of_the_window() -> None:
    assert WATCHED.slowest_ms("/healthz", 10, 20) == 2000  # in flight when it begins
    assert WATCHED.slowest_ms("/healthz", 0, 5) == 3000
    assert WATCHED.slowest_ms("/metrics", 10, 20) == 0
    assert WATCHED.failures() == ["/healthz: 500"]


def test_growth_is_that_of_the_peaks_of_both_halves() -> None:
    assert WATCHED.growth_bytes(10, 20) == 8 - 4
    assert WATCHED.growth_bytes(90, 99) == 0
    assert WATCHED.peak_bytes() == 9


def test_goodput_is_corrected_for_the_time_that_other_processes_took() -> None:
    measured = rounds.Measured(load(10, 20, cpu_s=2.5), WATCHED, 0.1)
    assert rounds.cores(measured) == pytest.approx({"server": 0.5, "client": 0.25, "idle": 0.25})
    # 30 a second, with one CPU
    assert rounds.goodput(measured) == pytest.approx(30 * cpu_count())


def test_no_samples_are_an_error() -> None:
    with pytest.raises(MeasurementError, match="no CPU time"):
        Watched().cores(0, 1)


@pytest.mark.parametrize(("kind", "other"), [("retry at once", 4), (IMPATIENT, 3)])
def test_only_impatient_clients_may_lose_requests(kind: str, other: int) -> None:
    measured = rounds.Measured(load(10, 20, reset=3, timeout=1), WATCHED, math.inf)
    found = rounds.describe(Crowd(64, kind), measured, before=1)
    assert found["other"] == other
    assert found["counts"] == {"200": 300, "503": 1, "reset": 3, "timeout": 1}
    assert (found["accepted_p99_ms"], found["refused_p99_ms"]) == (500, 1500)
    assert found["probes"]["/healthz"] == {"slowest_ms": 2000, "ramp_slowest_ms": 3000}
    assert found["kb_a_connection"] == pytest.approx(8 / 64 / 1000)
    assert found["recovery_s"] is None
    json.dumps(found, allow_nan=False)


class Answer(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def http_server() -> Iterator[int]:
    """The port of a server that knows /healthz only. `Answer.asked` has the paths of requests."""
    Answer.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    with serving_in_thread(server):
        yield server.server_port


def test_a_probe_has_a_status_or_a_failure() -> None:
    with http_server() as port:
        assert [probe(port, path).result for path in ("/healthz", "/x")] == ["200", "404"]
    assert probe(free_port(), "/healthz").result == "ConnectionRefusedError"


def test_the_monitor_watches_another_process(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 600 & sleep 600 & wait"]
    tree_log = tmp_path / "log"
    with http_server() as port, process_tree(command, log=tree_log, folder=tmp_path) as tree:
        wait_until(lambda: len(tree.members()) == 3, "both children")
        alone = sample(psutil.Process(tree.popen.pid))
        with watching(Running(SERVICE, port, tree, tree_log), ["/healthz", "/x"]) as watched:
            wait_until(lambda: Answer.asked.count("/healthz") > 2 < Answer.asked.count("/x"))
    assert {path: len(found) > 2 for path, found in watched.probes.items()} == {
        "/healthz": True,
        "/x": True,
    }
    assert set(watched.failures()) == {"/x: 404"}
    assert watched.samples
    assert all(each.memory >= alone.memory / 2 > 0 for each in watched.samples)


def test_a_monitor_that_fails_is_reported(tmp_path: Path) -> None:
    with process_tree(["sleep", "600"], log=tmp_path / "log", folder=tmp_path) as tree:
        server = Running(SERVICE, "none", tree, tmp_path / "log")  # type: ignore[arg-type]
        expected = pytest.raises(MeasurementError, match=r"(?s)the monitor failed: .*ValueError")
        with expected, watching(server, []):
            pass


def test_recovery_ends_with_the_start_of_the_first_request_of_normal_latency(stub: Stub) -> None:
    stub.follow("status/503", "delay/0.3", then="delay/0")
    port = int(stub.url.rpartition(":")[2])
    server = Running(replace(SERVICE, path="/plan"), port, tree=None, log=None)  # type: ignore[arg-type]
    start = time.monotonic()
    seconds = rounds.recovery_seconds(server, Payload(b"x", "image/jpeg"), 0.25, start)
    arrivals = [request.at - start for request in stub.received]
    assert 0.3 <= seconds <= arrivals[-1]
    assert len(arrivals) > 2


def test_tables_have_the_medians_of_the_repetitions() -> None:
    found = overloads.figures()
    lines = goodput_table(found).splitlines()
    assert [" ".join(line.split()) for line in lines if "512" in line or " 64 " in line] == [
        "| 64 | 100.0 (1.00), 1.8 s | 80.0 (1.00), 1.8 s |",
        "| 512 | 97.0 (0.97), 1.8 s | 20.0 (0.25), 30.0 s |",
    ]
    (row,) = [line for line in service_table(found).splitlines() if line.startswith("| 512 ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:7] == ["97.0", "0.97", "20", "1.50 / 1.79", "3.58", "4.00"]
    (row,) = [line for line in polite_table(found).splitlines() if "wait for" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["this service", "500 wait for Retry-After", "800", "640", "0.80", "15.6"]


def test_there_is_no_table_of_polite_clients_without_them() -> None:
    found = overloads.figures()
    for each in found["servers"]["service"]["rounds"]:
        each["crowds"] = each["crowds"][:1]
    assert polite_table(found) == ""


def run_of(*outcomes: tuple[float, float, str]) -> Run:
    """A run of requests: when each was due and ended, in seconds, and its failure."""
    schedule = Schedule(np.array([due for due, _, _ in outcomes]), None, "", {})
    service = [end - due for due, end, _ in outcomes]
    return make_run(schedule, service, failure=[failure for _, _, failure in outcomes])


def test_an_open_loop_counts_accepted_refused_and_lost() -> None:
    """Given 10 s in which 10 of 40 requests are accepted and 28 refused."""
    measured = open_loop.Measured(
        before=[0.8, 1.2],
        run=run_of(
            *((second, 1 + second, ANSWERED) for second in range(9)),
            (0, 10, ANSWERED),
            *((0, 0.25, open_loop.REFUSED) for _ in range(28)),
            (0, 0.5, "status 500"),
            (0, 0.5, "reset"),
        ),
        start=100,
        work=[0.9] * 10,
        watched=Watched(
            {"/metrics": [Probe(101, 0.1, "200"), Probe(102, 0.5, "503")]},
            [Sample(101, 3_000_000, 1, 1), Sample(109, 5_000_000, 2, 2)],
        ),
        after=[2.0],
    )
    assert measured.to_json() == {
        "offered": 40,
        "accepted": 10,
        "losses": {"status 500": 1, "reset": 1, "/metrics: 503": 1},
        "busy": pytest.approx(0.9),
        "p99_of_bound": pytest.approx(10 / (9 + 1)),
        "probes": {"/metrics": {"slowest_ms": 500}},
        "memory_growth_mb": 2.0,
        "recovery": 2.0,
    }


def test_an_open_loop_without_a_success_misses_its_targets() -> None:
    lost = run_of((0, 1, "reset"))
    measured = open_loop.Measured([1.0], lost, 0, [], Watched(), [1.0]).to_json()
    json.dumps(measured, allow_nan=False)
    found = figures_of(round_of(crowd(512)), LIMITS, measured)
    missed = {target.name for target in TARGETS if not target.is_met(found.get(target.name, 0))}
    assert missed >= {figures.LOST, figures.OFFERED, figures.BUSY, figures.OPEN_TAIL}


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, {}, b'{"predictions": []}', ANSWERED),
        (503, {"retry-after": "1"}, b"", open_loop.REFUSED),
        (503, {}, b"", "status 503"),
        (200, {}, b"", "status 200"),
        (500, {}, b"", "status 500"),
    ],
)
def test_a_refusal_of_the_open_loop_needs_retry_after(
    status: int, headers: dict[str, str], body: bytes, expected: str
) -> None:
    assert open_loop.classify_response(status, headers, body) == expected


def test_the_default_limits_are_those_of_the_service() -> None:
    assert rounds.limits(SERVICE) == {"queue": 128 * cpu_count(), "threads": cpu_count()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--before", "docs"], "--before: 'docs' is not a checkout of this project."),
        (["--repeat", "0"], "'0' is not a whole number of 1 or more"),
        (["--json", "missing/x.json"], "cannot be written"),
    ],
)
def test_invalid_options_are_refused(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cli.overload("", arguments)


def marked(value: str) -> list[psutil.Process]:
    """The processes that have inherited the environment variable `MARK` with this value."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == value:
                found.append(process)
    return found


@pytest.mark.parametrize("processes", [1, 2, 4], ids=["at once", "with a server", "under load"])
def test_ctrl_c_leaves_no_process(processes: int, tmp_path: Path) -> None:
    process = start(*COMMAND, environment={MARK: str(tmp_path)})
    assert process.stdout
    assert "cores of" in process.stdout.readline()  # the machine comes first
    wait_until(lambda: len(marked(str(tmp_path))) >= processes)
    interrupt(process)
    done = finish(process)
    left = marked(str(tmp_path))
    for each in left:
        each.kill()
    assert left == []
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.slow
def test_the_command_measures_real_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a target is met depends on the machine and is not checked."""
    # given
    crowds = (Crowd(2), Crowd(300), Crowd(20, IMPATIENT), Crowd(300, POLITE))
    path = tmp_path / "overload.json"
    monkeypatch.setattr(cli, "_QUICK_OPEN_SECONDS", 1.0)
    for seconds in (2, 20):  # in the first, a busy machine may have nothing to measure
        effort = Effort(crowds, seconds=seconds, reference_seconds=seconds, longest_warm_up=seconds)
        monkeypatch.setattr(cli, "QUICK", effort)
        # when
        status = cli.overload("", ["--quick", "--before", ".", "--json", str(path)])
        printed = capsys.readouterr()
        if path.exists() and '"why"' not in path.read_text():
            break
    # then
    assert "error: " not in printed.err
    assert status in (0, 1)
    lines = printed.out.splitlines()
    for target in targets_of(effort):
        (line,) = [line for line in lines if line.startswith(target.name)]
        assert line.endswith(("met", "missed"))
    found = json.loads(path.read_text())
    assert [len(found["servers"][key]["rounds"][0]["crowds"]) for key in ("service", "before")] == [
        4,
        4,
    ]
    for each in found["servers"].values():
        assert each["rounds"][0]["reference"]["counts"]["200"] > 0
        assert "why" not in each


def test_the_command_has_examples() -> None:
    done = script(*COMMAND, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
