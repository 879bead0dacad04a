"""The forecast against real containers: the emulator takes one request at a time, as Lambda's
environments do, and this plays Lambda's part of choosing one. What latencies the forecast makes of
durations is tested in tests/forecast, without containers."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from local.emulator import Function, running
from local.simulation.cost import Function as Configuration
from local.simulation.durations import Constant, Times
from local.simulation.prediction import Plan, predict
from local.simulation.scaling import Limits
from tests.support.lambda_events import v2
from tests.support.paths import SAMPLE
from tests.support.wait import HANG_SECONDS, wait_until

PHOTO = v2("POST", "/", SAMPLE.read_bytes(), {"content-type": "image/jpeg"})
TIMES = Times(cold=Constant(1500), warm=Constant(25))


class Environments:
    """Containers, of which a request takes the one used last that is idle, or else a new one."""

    def __init__(self, new: list[Function], idle: list[Function]) -> None:
        self._new = new
        self._idle = idle
        self._lock = threading.Lock()

    def wave(self, size: int) -> None:
        """`size` requests at the same time: none is answered before all have an environment."""
        all_taken = threading.Barrier(size, timeout=HANG_SECONDS)

        def invoke() -> None:
            with self._lock:
                container = self._idle.pop() if self._idle else self._new.pop()
            all_taken.wait()
            assert container.invoke(PHOTO)["statusCode"] == 200
            with self._lock:
                self._idle.append(container)

        with ThreadPoolExecutor(size) as pool:
            for future in [pool.submit(invoke) for _ in range(size)]:
                future.result()


def logged(container: Function, metric: str) -> int:
    """How many requests of the container have `metric` in the log."""
    lines = [line for line in container.log().splitlines() if line.startswith('{"_aws"')]
    return sum(metric in json.loads(line) for line in lines)


@pytest.fixture
def containers(image: str) -> Iterator[list[Function]]:
    """Each started, but not yet invoked."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(image)) for _ in range(4)]


@pytest.mark.parametrize(
    ("plan", "provisioned"),
    [
        (Plan(size=2, interval_seconds=6.0, waves=3), 0),
        (Plan(size=2, interval_seconds=0.3, waves=20), 4),
    ],
    ids=["cold at first", "provisioned"],
)
def test_cold_starts_are_as_forecast(
    containers: list[Function], plan: Plan, provisioned: int
) -> None:
    # given a forecast for requests that take less time than there is between two waves
    limits = Limits(provisioned=provisioned)
    forecast = predict(plan, limits, Configuration(1769, "x86_64"), TIMES).as_json()

    # when each wave comes to environments that are done with the one before
    for container in containers[:provisioned]:
        container.invoke(PHOTO)
    environments = Environments(containers[provisioned:], idle=containers[:provisioned])
    for _ in range(plan.waves):
        environments.wave(plan.size)

    # then as many requests started an environment, by what the containers wrote
    assert forecast["requests"] == plan.size * plan.waves

    def classified() -> int:
        return sum(logged(container, "Classifications") for container in containers)

    wait_until(lambda: classified() == plan.size * plan.waves + provisioned, "every log line")
    cold_starts = sum(logged(container, "ColdStart") for container in containers) - provisioned
    assert cold_starts == forecast["cold_starts"] == (0 if provisioned else plan.size)
