"""The forecast against real containers: the emulator takes one request at a time, as Lambda's
environments do, and this plays Lambda's part of choosing one."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from local.common.emulator import Function, running
from local.simulation.durations import Empirical, Times
from local.simulation.prediction import Plan, predict
from local.simulation.pricing import FunctionConfig as Configuration
from local.simulation.scaling import Limits
from tests.support.lambda_events import v2
from tests.support.paths import SAMPLE

PHOTO = v2("POST", "/", SAMPLE.read_bytes(), {"content-type": "image/jpeg"})


class Environments:
    """Containers, of which a request takes the one used last that is idle, or else a new one."""

    def __init__(self, new: list[Function], idle: list[Function] | None = None) -> None:
        self._new = new
        self._idle = idle or []
        self._lock = threading.Lock()
        self.cold_ms: list[float] = []
        self.warm_ms: list[float] = []

    def invoke(self) -> None:
        start = time.perf_counter()
        with self._lock:
            cold = not self._idle
            container = self._new.pop() if cold else self._idle.pop()
        assert container.invoke(PHOTO)["statusCode"] == 200
        milliseconds = (time.perf_counter() - start) * 1e3
        with self._lock:
            self._idle.append(container)
            (self.cold_ms if cold else self.warm_ms).append(milliseconds)


@pytest.fixture
def containers(image: str) -> Iterator[list[Function]]:
    """Each started, but not yet invoked."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(image)) for _ in range(5)]


@pytest.mark.parametrize(
    ("plan", "provisioned"),
    [
        (Plan(size=2, interval_seconds=6.0, waves=3), 0),
        (Plan(size=2, interval_seconds=0.3, waves=20), 4),
    ],
    ids=["cold at first", "provisioned"],
)
def test_cold_starts_and_latencies_are_as_forecast(
    containers: list[Function], plan: Plan, provisioned: int
) -> None:
    # given what one environment takes
    alone = Environments([containers.pop()])
    for _ in range(12):
        alone.invoke()
    times = Times(cold=Empirical(tuple(alone.cold_ms)), warm=Empirical(tuple(alone.warm_ms)))
    limits = Limits(provisioned=provisioned)
    forecast = predict(plan, limits, Configuration(1769, "x86_64"), times).as_json()

    # when waves come to several, of which some may be ready
    for container in containers[:provisioned]:
        container.invoke(PHOTO)
    environments = Environments(containers[provisioned:], idle=containers[:provisioned])
    futures: list[Future[None]] = []
    with ThreadPoolExecutor(plan.size * plan.waves) as pool:
        start = time.perf_counter()
        for wave in range(plan.waves):
            time.sleep(max(0.0, start + wave * plan.interval_seconds - time.perf_counter()))
            futures += [pool.submit(environments.invoke) for _ in range(plan.size)]
    for future in futures:
        future.result()

    # then as many are cold, and the typical request takes about as long
    measured = environments.cold_ms + environments.warm_ms
    assert len(measured) == forecast["requests"]
    assert len(environments.cold_ms) == forecast["cold_starts"] == (0 if provisioned else 2)
    # (generous, because all containers share the cores of one machine, and not alone)
    assert 0.2 < np.median(measured) / forecast["latency_ms"]["p50"] < 5
