"""Shared by the scenarios: parameters, requests, the check of responses, the common start."""

import argparse
import functools
import itertools
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from locust import FastHttpUser, LoadTestShape, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

# At the end: Locust removes the first entry of the path.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from local.common.cli import UsageError
from local.common.paths import SAMPLE
from local.loadtest.payload import Payload, read_payloads
from local.loadtest.result import classify_response
from local.loadtest.run import ANSWERED
from local.loadtest.schedule import WavePlan

GO = "go"
START_SECONDS = 0.2
"""From the message that all users are spawned to the first request"""

log = logging.getLogger(__name__)

_go = AsyncResult()
"""When the first request of this process is due, in seconds of `time.perf_counter`."""

_turns = itertools.count()


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    """The parameters, for the command line and for the page."""
    add = parser.add_argument
    add("--N", type=_whole, default=10, help="parallel requests: one per user")
    add("--T", type=_seconds, default=1.0, help="seconds between waves, or of a pause")
    add("--R", type=_whole, default=10, help="waves, or requests of each user")
    add("--image", default=str(SAMPLE), help="an image, or a folder whose images take turns")
    add("--request-timeout", type=float, default=60.0, help="seconds without an answer")


def plan_of(environment: Environment) -> WavePlan:
    """Raises `UsageError`: Locust does not validate the values of its page."""
    options = environment.parsed_options
    assert options is not None
    return WavePlan(options.N, options.T, options.R)


def payloads_of(environment: Environment) -> Sequence[Payload]:
    """Raises `UsageError`."""
    assert environment.parsed_options is not None
    return _payloads(environment.parsed_options.image)


@functools.cache
def _payloads(image: str) -> Sequence[Payload]:
    return read_payloads(Path(image))


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    """Start the first requests of all processes together: the master (or the only process) sends a
    message when all users are spawned. It contains a delay, so the clocks of the machines need not
    agree."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        runner.register_message(GO, on_go)
    if isinstance(runner, WorkerRunner):
        return

    def go(**_: Any) -> None:
        reset_statistics(environment)
        runner.send_message(GO, {"in_seconds": START_SECONDS})

    environment.events.spawning_complete.add_listener(go)


def on_go(environment: Environment, msg: Any, **_: Any) -> None:
    reset_statistics(environment)
    _go.set(time.perf_counter() + msg.data["in_seconds"])


def reset_statistics(environment: Environment) -> None:
    """Count rates from the first request, not from the spawning of the users."""
    environment.stats.reset_all()
    environment.stats.total.start_time = time.time() + START_SECONDS


@events.test_start.add_listener
def on_test_start(**_: Any) -> None:
    global _go  # noqa: PLW0603
    _go = AsyncResult()


class Classifier(FastHttpUser):
    """One of N users. `send` is the scenario: it calls `classify` for each request."""

    abstract = True
    host = "http://localhost:8000"
    insecure = False
    concurrency = 1_000_000  # no limit on the requests in flight of a user

    def __init__(self, environment: Environment) -> None:
        assert environment.parsed_options is not None
        self.host = (self.host or "").rstrip("/")
        self.network_timeout = environment.parsed_options.request_timeout
        self.connection_timeout = environment.parsed_options.request_timeout
        super().__init__(environment)
        self.plan = plan_of(environment)
        self.payloads = payloads_of(environment)

    @task
    def run_once(self) -> None:
        self.send(_go.get())
        Event().wait()  # until the shape ends the test

    def send(self, start: float) -> None:
        """Send the requests of one user; the first is due at `start` (`time.perf_counter`)."""
        raise NotImplementedError

    def classify(self, intended: float) -> None:
        """POST an image over a new connection, like the classic scripts. Its response time counts
        from `intended`; a response without predictions is a failure."""
        body = self.payloads[next(_turns) % len(self.payloads)]
        with self.client.post(
            "/",
            data=body.content,
            headers={
                "Content-Type": body.content_type,
                "Accept": "application/json",
                "Connection": "close",
            },
            allow_redirects=False,
            catch_response=True,
        ) as response:
            response.request_meta["response_time"] = (time.perf_counter() - intended) * 1000
            if response.status_code == 0:
                return  # no response: Locust has counted the failure
            failure = classify_response(response.status_code, {}, response.content or b"")
            if failure != ANSWERED:
                response.failure(failure)


def sleep_until(due: float) -> None:
    """due: seconds of `time.perf_counter`."""
    while (left := due - time.perf_counter()) > 0:
        gevent.sleep(left)


class UntilAnswered(LoadTestShape):
    """N users, until each of the N x R requests has a response or has failed: no request is cut
    off."""

    abstract = True

    def reset_time(self) -> None:
        """Clear the statistics of the previous test."""
        super().reset_time()
        if self.runner is not None:
            self.runner.stats.clear_all()

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        environment = self.runner.environment
        try:
            plan = plan_of(environment)
            payloads_of(environment)
        except UsageError as error:
            log.error("%s", error)
            environment.process_exit_code = 2
            return None
        if self.runner.stats.total.num_requests >= plan.requests:
            return None
        return plan.parallel, plan.parallel


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more; it is {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more; it is {text}")
    return number
