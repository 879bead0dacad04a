"""Prints the scenarios' decisions, on a fake clock, as JSON: python -m tests.locust.decisions

It is a separate process because importing Locust patches the standard library.
"""

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent  # type: ignore[import-untyped,unused-ignore]
from gevent.event import Event  # type: ignore[import-untyped,unused-ignore]
from locust.argument_parser import get_parser
from locust.env import Environment

from local.loadtest.payload import Payload
from local.loadtest.schedule import WavePlan
from tests.support.paths import ROOT

TIMEOUTS = ("network_timeout", "connection_timeout")

COMMAND_LINES = (("--N", "0"), ("--N", "many"), ("--T", "-1"), ("--T", "inf"), ("--R", "0"))


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


def refusals() -> dict[str, str]:
    """What Locust's parser says to each command line."""
    parser = get_parser()
    said = {}
    for arguments in COMMAND_LINES:
        error = io.StringIO()
        with contextlib.redirect_stderr(error), contextlib.suppress(SystemExit):
            parser.parse_args(arguments)
        said[" ".join(arguments)] = error.getvalue()
    return said


def start_times(common: Any) -> dict[str, float]:
    """After the message that the first request is due in 2 seconds: when a process sends it, and
    from when its statistics count."""
    environment = Environment()
    environment.stats.total.start_time = 0.0
    common.on_go(environment, SimpleNamespace(data={"in_seconds": common.START_SECONDS}))
    return {"first_request": common._go.get(), "statistics": environment.stats.total.start_time}


def response_time(classify: Callable[..., None], clock: Clock) -> float:
    """Of a request that was due half a second before it is sent, and takes a quarter; in ms."""
    response = SimpleNamespace(request_meta={}, status_code=0)

    @contextlib.contextmanager
    def post(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        clock.now += 0.25
        yield response

    user = SimpleNamespace(payloads=[Payload(b"", "image/png")], client=SimpleNamespace(post=post))
    classify(user, clock.now - 0.5)
    return float(response.request_meta["response_time"])


def timeouts(user_class: Any) -> list[float]:
    """Of a user's HTTP client, with --request-timeout 0.3."""
    options = get_parser().parse_args(["--request-timeout", "0.3"])
    agent = user_class(Environment(parsed_options=options)).client.client
    return [agent.clientpool.client_args[name] for name in TIMEOUTS]


def ticks(shape: Any) -> list[tuple[int, float] | None]:
    """What the shape wants for N = 3 and R = 4 after 0, 11 and 12 responses."""
    environment = Environment(parsed_options=get_parser().parse_args(["--N", "3", "--R", "4"]))
    wanted = []
    for responses in (0, 11, 12):
        total = SimpleNamespace(num_requests=responses)
        runner = SimpleNamespace(environment=environment, stats=SimpleNamespace(total=total))
        shape.runner = runner
        wanted.append(shape.tick())
    return wanted


def sent(send: Callable[..., None], clock: Clock, ends: bool) -> list[tuple[float, float]]:
    """The time and the due time of each request of a user with T = 0.25 and R = 4, who starts a
    second later. Each response takes 3 seconds, or never comes unless all requests are sent."""
    times: list[tuple[float, float]] = []
    all_sent = Event()

    def classify(intended: float) -> None:
        times.append((clock.now, intended))
        if ends:
            clock.now += 3
            return
        if len(times) == 4:
            all_sent.set()
        all_sent.wait()

    send(SimpleNamespace(plan=WavePlan(2, 0.25, 4), classify=classify), clock.now + 1)
    return times


def main() -> None:
    sys.path.append(str(ROOT / "locustfiles"))
    scenarios: dict[str, Any] = {
        name: importlib.import_module(name) for name in ("common", "waves", "parallel")
    }
    common, waves, parallel = scenarios.values()
    decided: dict[str, object] = {"refusals": refusals(), "timeouts": timeouts(waves.WaveUser)}
    clock = Clock()
    common.time = parallel.time = clock
    common.gevent = parallel.gevent = clock
    decided["start"] = start_times(common)
    decided["response_time"] = response_time(common.Classifier.classify, clock)
    clock.now = 50.0
    decided["ticks"] = ticks(waves.Waves())
    decided["waves"] = sent(waves.WaveUser.send, clock, ends=False)
    clock.now = 50.0
    decided["parallel"] = sent(parallel.ParallelUser.send, clock, ends=True)
    print(json.dumps(decided))


if __name__ == "__main__":
    main()
