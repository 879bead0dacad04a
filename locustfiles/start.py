"""The common start: all users of all processes begin at the same time."""

import gc
import time
from typing import Any, NamedTuple

import gevent
from gevent.event import AsyncResult
from locust import events
from locust.env import Environment
from locust.runners import (
    STATE_MISSING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    WorkerRunner,
)

GO = "go"

START_SECONDS = 0.5
"""From the message that all users are spawned to the first request, in which users prepare it."""


class Share(NamedTuple):
    """Which part of the load is that of this process: every `of`-th request from `index`."""

    index: int
    of: int


class Start(NamedTuple):
    """When the first request is due, in seconds of `time.perf_counter`, and what follows."""

    at: float
    share: Share
    span: float | None
    """Seconds in which requests are due, if that is known."""

    def spans(self, time: float) -> bool:
        """Whether requests are due at `time`, or it is not known how long they are."""
        return self.span is None or time <= self.at + self.span


_start: "AsyncResult[Start]" = AsyncResult()


def current_start() -> "AsyncResult[Start]":
    """The start of the current test in this process, when it is known."""
    return _start


@events.test_start.add_listener
def on_test_start(**_: Any) -> None:
    global _start  # noqa: PLW0603
    _start = AsyncResult()


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    """The master (or the only process) sends a message when all users are there. It contains a
    delay, so the clocks of the machines need not agree."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        runner.register_message(GO, on_go)
    if isinstance(runner, WorkerRunner):
        return

    def go(test: "AsyncResult[Start]") -> None:
        # Locust waits a second for the reports of its workers; one may need longer.
        while runner.user_count < runner.target_user_count:
            gevent.sleep(0.05)
            if test is not _start or runner.state in (STATE_STOPPING, STATE_STOPPED):
                return  # stopped, also by the shape if a worker is lost
        reset_statistics(environment)
        shape, ids = environment.shape_class, workers_of(runner) or [None]
        span = shape.load(environment.parsed_options).span if shape else None
        for index, client_id in enumerate(ids):
            data = {"in_seconds": START_SECONDS, "share": [index, len(ids)], "span": span}
            runner.send_message(GO, data, client_id)

    def on_spawning_complete(**_: Any) -> None:
        gevent.spawn(go, _start)

    environment.events.spawning_complete.add_listener(on_spawning_complete)


def on_go(environment: Environment, msg: Any, **_: Any) -> None:
    reset_statistics(environment)
    gc.freeze()  # no collection looks at what the start has made
    at = time.perf_counter() + msg.data["in_seconds"]
    _start.set(Start(at, Share(*msg.data["share"]), msg.data["span"]))


def reset_statistics(environment: Environment) -> None:
    """Count rates from the first request, not from the spawning of the users."""
    environment.stats.reset_all()
    environment.stats.total.start_time = time.time() + START_SECONDS


def workers_of(runner: Any) -> list[str]:
    """The ids of the connected workers of a master; of another runner, none."""
    if not isinstance(runner, MasterRunner):
        return []
    return [worker.id for worker in runner.clients.all if worker.state != STATE_MISSING]
