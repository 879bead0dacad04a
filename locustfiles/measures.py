"""What Locust's statistics show, and what a run measures beyond them."""

from typing import Any

import locust.stats
from client import Outcome
from locust import events
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.runners import MasterRunner, WorkerRunner

LATENESS = "lateness"
"""The statistics entry of the time from when requests were due to when they were sent, in ms. It is
not part of the aggregated entry."""


def bucket(milliseconds: float) -> float:
    """To three significant digits, and 0.1 ms: Locust's two digits make 145 ms of 154."""
    digits = 1 if milliseconds < 100 else 3 - len(str(int(milliseconds)))
    return round(milliseconds, digits)


locust.stats.bucket_response_time = bucket


class Tally:
    """Counts that decide when a run ends and how fast it was: of one process, or on a master the
    sums of all workers."""

    def __init__(self) -> None:
        self.finished = 0
        """Requests with a response or a failure."""
        self.answered_in_span = 0
        """Responses with predictions while requests were due."""


tally = Tally()
_reported = Tally()


def record(environment: Environment, outcome: Outcome, in_span: bool) -> None:
    """Add a request to the statistics. Failed ones count, but have no response time: percentiles
    cover answered ones only."""
    failure = outcome.failure
    environment.stats.get(LATENESS, "").log((outcome.started - outcome.due) * 1000, 0)
    tally.finished += 1
    tally.answered_in_span += in_span and not failure
    environment.events.request.fire(
        request_type="POST",
        name="/",
        response_time=None if failure else (outcome.ended - outcome.due) * 1000,
        response_length=outcome.size,
        exception=CatchResponseError(failure) if failure else None,
        context={},
    )


@events.test_start.add_listener
def reset_tally(**_: Any) -> None:
    for counts in (tally, _reported):
        vars(counts).update(vars(Tally()))


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, WorkerRunner):
        environment.events.report_to_master.add_listener(_report)
    if isinstance(environment.runner, MasterRunner):
        environment.events.worker_report.add_listener(_add_report)


def _report(data: dict[str, Any], **_: Any) -> None:
    """To the master: what has been counted since the last report."""
    data["tally"] = {name: count - vars(_reported)[name] for name, count in vars(tally).items()}
    vars(_reported).update(vars(tally))


def _add_report(data: dict[str, Any], **_: Any) -> None:
    for name, count in data["tally"].items():
        vars(tally)[name] += count
