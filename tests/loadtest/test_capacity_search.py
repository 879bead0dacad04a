"""The search for the capacity, on simulated queues: no network, no time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from local.loadtest.capacity.result import Result
from local.loadtest.capacity.search import Search
from local.loadtest.capacity.shapes import Shape, Steady, Waves
from local.loadtest.capacity.step import Criteria, Step, step_of
from local.loadtest.run import Run
from local.loadtest.schedule import Schedule, Seconds
from tests.support.capacities import BIMODAL, MODELS, ONE, capacity, mean
from tests.support.exact_server import Model, true_latencies
from tests.support.runs import make_run

LONG_SECONDS = 8.0
CRITERIA = Criteria(limit_ms=1000, failures=0.001, growth=0.02)

Measure = Callable[[Schedule, np.random.Generator], Run]


@dataclass
class Found:
    result: Result
    seconds: float
    """How long the search would have taken."""

    @property
    def load(self) -> float:
        assert self.result.status == "found"
        assert self.result.load is not None
        return self.result.load


def find(
    measure: Measure,
    *,
    first: float = 70,
    most: float = 10_000,
    shape: Shape | None = None,
    criteria: Criteria = CRITERIA,
    seed: int = 0,
    seconds: float = math.inf,
    precision: float = 0.05,
) -> Found:
    """Search with simulated measurements, for at most `seconds`."""
    shape = shape or Steady("constant", LONG_SECONDS)
    random = np.random.default_rng(seed)
    search = Search(shape, 1.0 if shape.whole else first, most, precision)
    found = Found(Result("simulated", search, criteria), 0.0)
    steps = found.result.steps
    while wanted := search.next(steps):
        taken = shape.seconds(wanted.load, long=wanted.long)
        if found.seconds + taken > seconds:
            return found
        number = seed * 1000 + len(steps)
        run = measure(shape.schedule(wanted.load, long=wanted.long, number=number), random)
        found.seconds += max(taken, run.records["ended"].max(initial=0))
        steps.append(step(run, wanted.load, shape, long=wanted.long, criteria=criteria))
        assert len(steps) < 100
    found.result.ended = True
    return found


def step(
    run: Run, load: float, shape: Shape, *, long: bool = True, criteria: Criteria = CRITERIA
) -> Step:
    return step_of(run, load, rate=shape.rate(load), long=long, criteria=criteria)


def serve(model: Model) -> Measure:
    """Measurements of a service, each from another point of its service times on."""

    def measure(schedule: Schedule, random: np.random.Generator) -> Run:
        return make_run(schedule, latencies(model, schedule, random))

    return measure


def latencies(model: Model, schedule: Schedule, random: np.random.Generator) -> Seconds:
    start = int(random.integers(len(model.seconds)))
    rolled = Model(model.seconds[start:] + model.seconds[:start], model.servers)
    return true_latencies(rolled, schedule.due.tolist())


def spoil(measure: Measure, spoiled: Callable[[int], bool]) -> Measure:
    """The measurements by number for which `spoiled` is true see a service that takes 2 s more."""
    numbers = iter(range(1000))

    def spoil_some(schedule: Schedule, random: np.random.Generator) -> Run:
        run = measure(schedule, random)
        if spoiled(next(numbers)):
            run.records["ended"] += 2
        return run

    return spoil_some


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_capacity_is_found_within_five_percent_in_two_minutes(model: Model) -> None:
    for seed in range(8):
        found = find(serve(model), first=0.5 / mean(model), seed=seed)
        assert found.load == pytest.approx(capacity(model), rel=0.05)
        assert found.seconds < 120


def test_poisson_arrivals_have_nearly_the_same_capacity() -> None:
    """With a limit of 1 s for p99, a queue with constant service times is sustained up to 98.4 % of
    its capacity: the tail of its waiting times falls by exp(-2 (1 - u) t / (u s)) at a utilization
    u (Kingman's approximation, s = 7 ms)."""
    for seed in range(4):
        found = find(serve(ONE), shape=Steady("poisson", LONG_SECONDS), seed=seed)
        assert found.load == pytest.approx(0.984 * capacity(ONE), rel=0.05)


@pytest.mark.parametrize("limit", [30, 100, 500])
def test_waves_are_found_to_the_request_or_to_five_percent(limit: int) -> None:
    # given: a server that answers the Nth request of a wave after N times 7 ms
    largest = math.floor(limit / 7)
    criteria = Criteria(limit, 0, 0.02)
    found = find(serve(ONE), shape=Waves(1, 5), criteria=criteria)
    # p99 leaves out the last request of 100 or more
    assert largest <= found.load <= 1.05 * largest + 0.5


@pytest.mark.parametrize("seed", range(5))
def test_measurements_that_noise_spoils_do_not_move_the_result(seed: int) -> None:
    noise = np.random.default_rng(seed)
    found = find(spoil(serve(ONE), lambda _: noise.random() < 0.1), seed=seed)
    assert found.load == pytest.approx(capacity(ONE), rel=0.05)


@pytest.mark.parametrize("start", range(6))
def test_two_spoiled_measurements_in_a_row_do_not_end_the_search(start: int) -> None:
    found = find(spoil(serve(ONE), lambda number: start <= number < start + 2))
    assert found.load == pytest.approx(capacity(ONE), rel=0.05)


@pytest.mark.parametrize("slow", [0.3, 0.7])
def test_service_that_gets_its_cores_back_is_measured_again(slow: float) -> None:
    """For the first 25 s, it has a part of its capacity, as another program runs."""
    elapsed = [0.0]

    def recovering(schedule: Schedule, random: np.random.Generator) -> Run:
        model = Model([0.007 / slow]) if elapsed[0] < 25 else ONE
        run = make_run(schedule, latencies(model, schedule, random))
        elapsed[0] += max(schedule.span or 0, run.records["ended"].max())
        return run

    found = find(recovering, first=35, seconds=120)
    assert found.result.load == pytest.approx(capacity(ONE), rel=0.05)


def test_pause_of_the_service_is_not_a_growing_backlog() -> None:
    """All requests that are due from second 6.5 to 7.5 are answered at its end."""
    shape = Steady("constant", LONG_SECONDS)
    schedule = shape.schedule(100, long=True, number=0)
    paused = (schedule.due >= 6.5) & (schedule.due < 7.5)
    run = make_run(schedule, np.where(paused, 7.5 - schedule.due, 0.01))
    assert step(run, 100, shape, criteria=Criteria(2000, 0, 0.02)).passed


def test_measurements_on_both_sides_agree_with_the_result() -> None:
    for precision in (0.05, 0.2):
        criteria = Criteria(1000, 0, 0.4 * precision)
        found = find(serve(ONE), criteria=criteria, precision=precision)
        near = [step for step in found.result.steps if step.long]
        below = [step for step in near if 0.9 * found.load <= step.load <= 1.05 * found.load]
        above = [step for step in near if 0.95 * found.load <= step.load <= 1.1 * found.load]
        assert sum(step.passed for step in below) >= 2
        assert sum(not step.passed for step in above) >= 2


def test_backlog_that_grows_is_not_sustained_though_p99_is_within_the_limit() -> None:
    shape = Steady("constant", LONG_SECONDS)
    for rate, reason in ((140.0, None), (150.0, "backlog")):
        schedule = shape.schedule(rate, long=True, number=0)
        measured = step(serve(ONE)(schedule, np.random.default_rng(0)), rate, shape)
        assert measured.reason == reason
        assert measured.p99_ms is not None
        assert measured.p99_ms < 500


def test_overload_shows_the_capacity() -> None:
    shape = Steady("constant", LONG_SECONDS)
    run = serve(ONE)(shape.schedule(200, long=True, number=0), np.random.default_rng(0))
    assert step(run, 200, shape).capacity == pytest.approx(capacity(ONE), rel=0.01)


def test_limit_of_p99_bounds_the_rate() -> None:
    """Latency rises with the rate: 1 ms for each request per second."""

    def slower(schedule: Schedule, _: object) -> Run:
        assert schedule.offered_rps
        return make_run(schedule, np.full(schedule.requests, schedule.offered_rps / 1000))

    found = find(slower, criteria=Criteria(300, 0, 0.02))
    assert found.load == pytest.approx(300, rel=0.05)
    assert {step.reason for step in found.result.steps} == {None, "p99"}


def refuse_above(rate: float, share: float) -> Measure:
    """Refuse `share` of all requests, and above `rate` a tenth of them."""

    def refusing(schedule: Schedule, random: np.random.Generator) -> Run:
        assert schedule.offered_rps
        refused = share if schedule.offered_rps <= rate else 0.1
        count = math.ceil(refused * schedule.requests)
        failure = ["status 503"] * count + [""] * (schedule.requests - count)
        return make_run(schedule, np.full(schedule.requests, 0.01), failure=failure)

    return refusing


def test_share_of_failures_is_tolerated() -> None:
    criteria = Criteria(1000, 0.01, 0.02)
    found = find(refuse_above(200, share=0.005), criteria=criteria)
    assert found.load == pytest.approx(200, rel=0.05)


def test_failures_beyond_the_share_are_not_sustained() -> None:
    found = find(refuse_above(200, share=0.02), criteria=Criteria(1000, 0.01, 0.02))
    assert found.result.status == "none"
    assert found.result.load is None
    assert "sustainable: none" in found.result.verdict()


@pytest.mark.parametrize(
    ("failures", "requests", "allowed", "sustained"),
    [
        *((0, 100, 0.0, True), (1, 100, 0.0, False)),
        *((1, 100, 0.001, True), (2, 100, 0.001, False), (1, 99, 0.001, False)),
        *((2, 200, 0.01, True), (3, 200, 0.01, False)),
    ],
)
def test_one_failure_in_a_hundred_is_allowed_unless_none_is(
    failures: int, requests: int, allowed: float, sustained: bool
) -> None:
    shape = Steady("constant", 1)
    kinds = ["status 503"] * failures + [""] * (requests - failures)
    schedule = shape.schedule(requests, long=True, number=0)
    run = make_run(schedule, np.full(requests, 0.01), failure=kinds)
    criteria = Criteria(1000, allowed, 0.02)
    assert step(run, requests, shape, criteria=criteria).passed is sustained


def late_above(rate: float) -> Measure:
    """A client that gets later and later above this rate, and a service without a limit."""

    def late(schedule: Schedule, _: object) -> Run:
        assert schedule.offered_rps
        growth = max(0.0, schedule.offered_rps / rate - 1)
        return make_run(schedule, np.full(schedule.requests, 0.01), lateness=growth * schedule.due)

    return late


def test_limit_of_the_client_gives_a_lower_bound_and_is_named_first() -> None:
    found = find(late_above(500))
    result = found.result
    assert result.status == "at least"
    assert result.load is not None
    assert 475 <= result.load <= 525
    first, second, *_ = result.verdict().splitlines()
    assert first.startswith("The client was the limit: ")
    assert second.startswith("sustainable: at least ")


def test_client_that_is_late_now_and_then_is_not_the_limit() -> None:
    """In the first three measurements that do not pass, as another program runs."""
    late = iter([True] * 3)

    def busy(schedule: Schedule, random: np.random.Generator) -> Run:
        run = serve(ONE)(schedule, random)
        assert schedule.offered_rps
        if schedule.offered_rps > capacity(ONE) and next(late, False):
            run.records["started"] = run.records["due"] + 0.3
        return run

    found = find(busy)
    assert sum(step.client_limit is not None for step in found.result.steps) == 3
    assert found.load == pytest.approx(capacity(ONE), rel=0.05)


def test_backlog_of_the_service_is_not_that_of_a_client_which_is_late_all_the_time() -> None:
    """Both may run on one machine, which is busy at the capacity."""

    def busy(schedule: Schedule, random: np.random.Generator) -> Run:
        run = serve(ONE)(schedule, random)
        run.records["started"] += np.where(run.records["request"] % 20 == 0, 0.1, 0.01)
        run.records["ended"] += 0.1
        return run

    found = find(busy)
    assert found.result.client_limit is None
    assert found.load == pytest.approx(capacity(ONE), rel=0.05)


def test_late_client_does_not_spoil_a_load_that_passes() -> None:
    shape = Steady("constant", LONG_SECONDS)
    schedule = shape.schedule(100, long=True, number=0)
    run = make_run(schedule, np.full(schedule.requests, 0.01), lateness=0.05)
    measured = step(run, 100, shape)
    assert measured.passed
    assert measured.client_limit is None


def test_refusals_of_the_service_are_not_the_client() -> None:
    """Though it was late."""
    shape = Steady("constant", LONG_SECONDS)
    schedule = shape.schedule(100, long=True, number=0)
    kinds = ["status 503"] * 400 + [""] * 400
    run = make_run(schedule, np.full(schedule.requests, 0.01), lateness=0.05, failure=kinds)
    assert step(run, 100, shape).client_limit is None


def test_highest_load_gives_a_lower_bound() -> None:
    found = find(serve(ONE), most=100)
    assert found.result.status == "at least"
    assert found.result.load == 100
    assert "sustainable: at least 100 requests/s" in found.result.verdict()
    assert max(step.load for step in found.result.steps) == 100


def test_no_load_is_more_than_twice_what_passed() -> None:
    highest = 0.0
    for measured in find(serve(ONE), first=1).result.steps:
        assert measured.load <= max(1, 2.05 * highest)
        highest = max(highest, measured.load if measured.passed else 0)


def test_client_that_is_late_at_first_does_not_raise_the_load() -> None:
    """One failure of a late client says little, and most of the possible sizes are above it."""
    shape = Waves(1.0, 5)
    late = make_run(shape.schedule(1.0, long=True, number=0), [0.1] * 5, lateness=0.09)
    first = step(late, 1.0, shape, criteria=Criteria(50, 0.001, 0.02))
    assert first.client_limit
    wanted = Search(shape, 1.0, 10_000.0, 0.05).next([first])
    assert wanted is not None
    assert wanted.load == 1


def test_highest_load_that_passes_in_the_end_is_a_bound_of_its_own() -> None:
    """However late the client was before."""
    shape = Waves(1.0, 5)
    loads = {late: shape.schedule(2.0, long=True, number=0) for late in (False, True)}
    runs = {
        False: make_run(loads[False], [0.01] * 10),
        True: make_run(loads[True], [0.1] * 10, lateness=0.09),
    }
    search, criteria = Search(shape, 1.0, 2.0, 0.05), Criteria(50, 0.001, 0.02)
    order = (True, True, False, False, False, False)
    steps = [step(runs[late], 2.0, shape, criteria=criteria) for late in order]
    result = Result("simulated", search, criteria, steps)
    assert (result.status, result.load, result.client_limit) == ("at least", 2, None)


def test_client_is_not_the_limit_of_a_service_that_crashed() -> None:
    shape, criteria = Waves(1.0, 5), Criteria(50, 0.001, 0.02)
    late = make_run(shape.schedule(2.0, long=True, number=0), [0.1] * 10, lateness=0.09)
    steps = [step(late, 2.0, shape, criteria=criteria)]
    search = Search(shape, 1.0, 4.0, 0.05)
    assert Result("simulated", search, criteria, steps).client_limit
    result = Result("simulated", search, criteria, steps, gone="status 503")
    assert (result.status, result.client_limit) == ("incomplete", None)
    assert "even single requests fail now (status 503)" in result.verdict()


def test_search_that_starts_too_high_goes_down() -> None:
    found = find(serve(ONE), first=1000)
    assert found.load == pytest.approx(capacity(ONE), rel=0.05)


def test_slow_service_is_measured_with_enough_requests() -> None:
    found = find(serve(Model([2.0])), first=0.25, criteria=Criteria(10_000, 0, 0.02))
    assert found.load == pytest.approx(0.5, rel=0.05)
    assert all(step.requests >= 20 for step in found.result.steps if step.long)


def test_stopped_search_has_no_result() -> None:
    result = find(serve(ONE)).result
    result.stopped_by = 2
    assert result.status == "incomplete"
    assert result.load is None
    assert "sustainable" not in result.verdict()
    assert "highest that passed:      14" in result.verdict()


def test_lowest_failed_is_above_what_passed() -> None:
    """Noise may fail a lower load."""
    result = find(spoil(serve(ONE), lambda number: number == 1)).result
    assert min(step.load for step in result.steps if not step.passed) < capacity(ONE)
    assert result.highest_passed is not None
    assert result.lowest_failed is not None
    assert result.highest_passed < result.lowest_failed


def test_search_without_time_says_how_wide_the_interval_is() -> None:
    found = find(serve(BIMODAL), first=80, seconds=25)
    assert found.result.status == "imprecise"
    assert "wider than asked for: use a longer --for" in found.result.verdict()


def test_interval_holds_the_capacity_and_is_as_narrow_as_asked_for() -> None:
    holds = 0
    for seed in range(20):
        interval = find(serve(BIMODAL), first=80, seed=seed).result.interval
        assert interval is not None
        assert interval.low < interval.median < interval.high <= 1.05 * interval.low
        holds += interval.low <= capacity(BIMODAL) <= interval.high
    assert holds >= 17
