"""Prints the scenarios' decisions, without a service, as JSON: python -m tests.locust.decisions

It is a separate process because importing Locust patches the standard library.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import flask
import gevent  # type: ignore[import-untyped,unused-ignore]
from gevent.pool import Group  # type: ignore[import-untyped,unused-ignore]
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.runners import LocalRunner

from local.common.cli import UsageError
from tests.support.paths import ROOT

COMMAND_LINES = (
    "--N 0",
    "--N many",
    "--T -1",
    "--T inf",
    "--R 0",
    "--request-timeout -1",
    "--request-timeout nan",
    "--image no/such.jpg",
    "--header nonsense",
    "--require p99",
    "--require service_p99<5",
    "--junit no/such/folder/file.xml",
    "--rate 0",
    "--for -1",
    "--ramp 10",
    "--ramp 5:nan",
    "--arrivals often",
)

FORMS: dict[str, dict[str, str]] = {
    "valid": {"N": "4", "T": "0", "R": "3", "host": "http://localhost:1", "unknown": "1"},
    "N": {"N": "0"},
    "T": {"T": "-0.5"},
    "R": {"R": "x"},
    "request_timeout": {"request_timeout": ""},
    "image": {"image": "no/such.jpg"},
    "arrivals": {"arrivals": "often"},
    "ramp": {"ramp": "10:-1"},
    "junit": {"junit": "load.xml"},
}


class Clock:
    """Stands for the modules `time` and `gevent`: a sleep takes exactly the given time."""

    def __init__(self) -> None:
        self.now = 50.0

    def perf_counter(self) -> float:
        return self.now

    def time(self) -> float:
        return 1000.0 + self.now

    def sleep(self, seconds: float) -> None:
        gevent.sleep(0)  # whatever has been spawned starts before the clock moves
        self.now += seconds


def options(*arguments: str) -> argparse.Namespace:
    parsed: argparse.Namespace = get_parser().parse_args(list(arguments))
    return parsed


def refusals() -> dict[str, str]:
    """What Locust's parser says to each command line."""
    said = {}
    for line in COMMAND_LINES:
        error = io.StringIO()
        with contextlib.redirect_stderr(error), contextlib.suppress(SystemExit):
            options(*line.split())
        said[line] = error.getvalue()
    return said


def forms(common: Any) -> dict[str, Any]:
    """The message for each form of the page, or the values that are used."""
    said: dict[str, Any] = {}
    for name, form in FORMS.items():
        try:
            changed = common.page.options_of_form(form, options())
        except UsageError as error:
            said[name] = str(error)
        else:
            said[name] = [changed.N, changed.T, changed.R]
    return said


def states(common: Any) -> dict[str, str]:
    """The state that the page gets for each state of a runner."""
    told = {}
    for state in ("spawning", "running", "cleanup", "stopping", "stopped"):
        app = flask.Flask(__name__)
        app.add_url_rule(
            "/stats/requests", view_func=partial(flask.jsonify, state=state), endpoint="x"
        )
        common.page.show_the_end(app)
        told[state] = app.test_client().get("/stats/requests").get_json()["state"]
    return told


def headers() -> dict[str, dict[str, str]]:
    """The headers of requests: with an option, with a key, and of a worker whose master has a key
    in its environment."""
    module = importlib.import_module("options")
    own, key = ["--header", "X-Own:  a, b"], ["--api-key", "secret"]
    found = {name: module.http_of(options(*line)).headers for name, line in
             {"header": own, "key": key}.items()}  # fmt: skip
    os.environ["API_KEY"] = "master"
    of_the_master = options(*own)
    module.move_credentials(of_the_master)
    del os.environ["API_KEY"]
    return {**found, "worker": module.http_of(of_the_master).headers}


def urls() -> list[str]:
    """Where images are posted, for hosts with a path and a query."""
    url_of = importlib.import_module("options").url_of
    return [url_of(f"http://h{rest}") for rest in ("", "/", "/a", "?top_k=3", "/a/?top_k=3")]


def start_times(start: Any) -> dict[str, float]:
    """After the message that the first request is due in 2 seconds: when a process sends it, and
    from when its statistics count."""
    environment = Environment()
    environment.stats.total.start_time = 0.0
    data = {"in_seconds": start.START_SECONDS, "share": [0, 1], "span": None}
    start.on_go(environment, SimpleNamespace(data=data))
    return {
        "first_request": start.current_start().get().at,
        "statistics": environment.stats.total.start_time,
    }


def environment_of(shape: Any, *arguments: str) -> Any:
    """An environment of a run of one process, that has started."""
    environment = Environment(
        parsed_options=options("--headless", *arguments), shape_class=shape, user_classes=[]
    )
    runner = LocalRunner(environment)
    environment.runner = shape.runner = runner
    shape.reset_time()
    return environment


def outcome(client: Any, latency: float, lateness: float = 0, failure: str = "") -> Any:
    """Of a request that was due at 10 seconds. Arguments: seconds."""
    return client.Outcome(10.0, 10.0 + lateness, 10.0 + latency, failure, 7)


def statistics(measures: Any, client: Any, shape: Any) -> dict[str, Any]:
    """After two responses and a failure that took long."""
    environment = environment_of(shape)
    measures.reset_tally()
    for measured in (
        outcome(client, 0.75, 0.5),
        outcome(client, 0.25),
        outcome(client, 60, failure="timeout"),
    ):
        measures.record(environment, measured, in_span=measured.ended < 10.5)
    posted, late = environment.stats.get("/", "POST"), environment.stats.get("lateness", "")
    total = environment.stats.total
    return {
        "requests": [posted.num_requests, total.num_requests, late.num_requests],
        "failures": [posted.num_failures, total.num_failures, late.num_failures],
        "largest": [posted.max_response_time, total.max_response_time, late.max_response_time],
        "p100": posted.get_response_time_percentile(1.0),
        "mean": posted.avg_response_time,
        "kinds": [error.to_name() for error in environment.stats.errors.values()],
        "tally": dict(vars(measures.tally)),
    }


def ticks(measures: Any, shape: Any) -> dict[str, Any]:
    """What the shape wants for N = 3 and R = 4 after 0, 11 and 12 responses, and whether it has
    ended; and when --run-time is over, when the workers with which it has started are lost, or when
    others have joined."""

    def running(workers: set[str], *arguments: str) -> Any:
        environment = environment_of(shape, "--N", "3", "--R", "4", *arguments)
        environment.runner.state = "running"
        shape._workers = workers
        measures.reset_tally()

    answers = []
    running(set())
    for finished in (0, 11, 12):
        measures.tally.finished = finished
        answers.append([shape.tick(), shape.has_ended])
    wanted: dict[str, Any] = {"answers": answers}
    running(set(), "--run-time", "1m")
    shape.start_time -= 60
    wanted["run time"] = [shape.tick(), shape.has_ended, shape.disturbance]
    running({"a"})
    wanted["lost"] = [shape.tick(), shape.has_ended, shape.disturbance]
    running(set())
    shape.workers = lambda: {"b"}
    wanted["joined"] = [shape.tick(), shape.has_ended, shape.disturbance]
    del shape.workers
    return wanted


def statuses(modules: dict[str, Any], shape: Any) -> dict[str, Any]:
    """The exit status of runs of one request (0.1 s), or of other outcomes; the marks in their
    reports; and the test cases that have failed."""
    answered = outcome(modules["client"], 0.1)
    late = outcome(modules["client"], 0.1, 0.05)
    failed = outcome(modules["client"], 0.1, failure="status 500")
    short = outcome(modules["client"], 0.1, failure="EMFILE")
    cases: dict[str, tuple[list[Any], list[str]]] = {
        "answered": ([answered], []),
        "failed": ([answered, failed], []),
        "met": ([answered], ["p99<200", "failures<1", "lateness_max<1"]),
        "broken": ([answered], ["p99<99"]),
        "failures allowed": ([answered, failed], ["failures<=50%"]),
        "failures broken": ([answered, failed], ["failures<50%"]),
        "nothing answered": ([failed], ["p99<200"]),
        "late": ([late], []),
        "late and broken": ([late, failed], ["p99<1"]),
        "no descriptors": ([answered, short], []),
    }
    return {name: judged(modules, shape, *case) for name, case in cases.items()}


def judged(modules: dict[str, Any], shape: Any, outcomes: list[Any], rules: list[str]) -> list[Any]:
    """A row of `statuses`."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        arguments = ["--N", str(len(outcomes)), "--R", "1", "--T", "0", "--junit", file.name]
        for rule in rules:
            arguments += ["--require", rule]
        environment = environment_of(shape, *arguments)
        verdict = modules["verdict"].Verdict(environment)
        verdict.on_test_start()
        modules["measures"].reset_tally()
        for measured in outcomes:
            modules["measures"].record(environment, measured, in_span=True)
        shape.has_ended = True
        verdict.on_test_stop()
        verdict.on_quitting()
        marks = [row["msg"] for row in environment.runner.exceptions.values()]
        failed = ET.parse(file.name).getroot().findall("testsuite/testcase[failure]")
        return [environment.process_exit_code, marks, [case.get("name") for case in failed]]


def sent_ahead(classify_at: Callable[..., None], clock: Clock) -> list[tuple[float, float]]:
    """When requests that are due at 51 and 51.25 seconds are prepared, and when they are due; the
    first never gets a response."""
    times: list[tuple[float, float]] = []

    def classify(due: float) -> None:
        times.append((clock.now, due))
        gevent.sleep(3600)

    user = SimpleNamespace(_in_flight=Group(), classify=classify)
    for due in (51.0, 51.25):
        classify_at(user, due)
    clock.sleep(0)
    user._in_flight.kill()
    return times


def due_times(send: Callable[..., None], *arguments: str, share: Any = None) -> list[float]:
    """When the requests of an open loop are due that starts at 50 seconds."""
    times: list[float] = []
    send(SimpleNamespace(options=options(*arguments), share=share, classify_at=times.append), 50.0)
    return [float(time) for time in times]


def closed_loop(send: Callable[..., None], clock: Clock) -> list[tuple[float, float]]:
    """The time and the due time of each request of a user with T = 0.25 and R = 4, whose first is
    due now. Each response takes 3 seconds."""
    times: list[tuple[float, float]] = []

    def classify(due: float) -> None:
        times.append((clock.now, due))
        clock.now += 3

    send(SimpleNamespace(options=options("--T", "0.25", "--R", "4"), classify=classify), clock.now)
    return times


def shares(modules: dict[str, Any]) -> list[list[float]]:
    """The due times that three processes send of 2 requests a second for 5 seconds."""
    send, share = modules["steady"].SteadyUser.send, modules["start"].Share
    return [
        due_times(send, "--rate", "2", "--for", "5", share=share(index, 3)) for index in range(3)
    ]


@contextlib.contextmanager
def on(clock: Clock, *modules: Any) -> Iterator[None]:
    """Have `modules` use `clock`."""
    saved = [(module, dict(vars(module))) for module in modules]
    for module in modules:
        for name in {"time", "gevent"} & vars(module).keys():
            setattr(module, name, clock)
    yield
    for module, names in saved:
        vars(module).update(names)


def main() -> None:
    sys.path.append(str(ROOT / "locustfiles"))
    names = ("common", "client", "start", "measures", "verdict", "waves", "parallel", "steady")
    modules: dict[str, Any] = {name: importlib.import_module(name) for name in names}
    common, client, waves = modules["common"], modules["client"], modules["waves"]
    shape, clock = waves.Waves(), Clock()
    with on(clock, modules["start"], modules["parallel"], client):
        timed: dict[str, Any] = {
            "start": start_times(modules["start"]),
            "ahead": sent_ahead(common.Classifier.classify_at, clock),
        }
        clock.now = 51.0
        timed["parallel"] = closed_loop(modules["parallel"].ParallelUser.send, clock)
    decided = {
        **timed,
        "refusals": refusals(),
        "forms": forms(common),
        "states": states(common),
        "headers": headers(),
        "urls": urls(),
        "statistics": statistics(modules["measures"], client, shape),
        "ticks": ticks(modules["measures"], shape),
        "statuses": statuses(modules, shape),
        "waves": due_times(waves.WaveUser.send, "--N", "2", "--T", "0.25", "--R", "4"),
        "shares": shares(modules),
        "buckets": [modules["measures"].bucket(ms) for ms in (0.04, 1.26, 99.96, 154.4, 12345.6)],
    }
    print(json.dumps(decided))


if __name__ == "__main__":
    main()
