"""The forecast of cold starts against real containers.

The emulator handles one request at a time, like an environment of Lambda; the test chooses the
container for each request, as Lambda does. tests/simulation tests latencies, without containers.
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from local.common.emulator import Function, running
from local.loadtest.schedule import WavePlan
from local.simulation.durations import Constant, Times
from local.simulation.prediction import predict
from local.simulation.pricing import FunctionConfig as Configuration
from local.simulation.scaling import Limits
from tests.support.lambda_events import v2
from tests.support.paths import SAMPLE
from tests.support.wait import HANG_SECONDS, wait_until

PHOTO = v2("POST", "/", SAMPLE.read_bytes(), {"content-type": "image/jpeg"})
TIMES = Times(cold=Constant(1500), warm=Constant(25))


class Environments:
    """Containers. A request gets the idle one that was used last, or a new one."""

    def __init__(self, new: list[Function], idle: list[Function]) -> None:
        self._new = new
        self._idle = idle
        self._lock = threading.Lock()

    def wave(self, size: int) -> None:
        """Send `size` parallel requests. Each has a container before the first gets a response."""
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
    """The number of requests with `metric` in the log of the container."""
    lines = [line for line in container.log().splitlines() if line.startswith('{"_aws"')]
    return sum(metric in json.loads(line) for line in lines)


@pytest.fixture
def containers(image: str) -> Iterator[list[Function]]:
    """Running containers without any invocation yet."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(image)) for _ in range(4)]


@pytest.mark.parametrize(
    ("plan", "provisioned"),
    [
        (WavePlan(2, period=6.0, repeat=3), 0),
        (WavePlan(2, period=0.3, repeat=20), 4),
    ],
    ids=["cold at first", "provisioned"],
)
def test_cold_starts_match_the_forecast(
    containers: list[Function], plan: WavePlan, provisioned: int
) -> None:
    # given a forecast for requests that are shorter than the interval between waves
    limits = Limits(provisioned=provisioned)
    forecast = predict(plan.schedule(), limits, Configuration(1769, "x86_64"), TIMES).as_json()

    # when each wave starts after the previous one has finished
    for container in containers[:provisioned]:
        container.invoke(PHOTO)
    environments = Environments(containers[provisioned:], idle=containers[:provisioned])
    for _ in range(plan.repeat):
        environments.wave(plan.parallel)

    # then the containers log as many cold starts as forecast
    assert forecast["requests"] == plan.requests

    def classified() -> int:
        return sum(logged(container, "Classifications") for container in containers)

    wait_until(lambda: classified() == plan.requests + provisioned, "every log line")
    cold_starts = sum(logged(container, "ColdStart") for container in containers) - provisioned
    assert cold_starts == forecast["cold_starts"] == (0 if provisioned else plan.parallel)
