"""Jobs of S3 Batch Operations: three bills by hand, and the arithmetic against the simulation."""

import pytest

from local.simulation.batch import SIMULATED, BatchForecast, BatchPlan, forecast_batch
from local.simulation.durations import Constant, Durations, LogNormal
from local.simulation.pricing import FunctionConfig
from local.simulation.services import COSTS, Services


def bill(forecast: BatchForecast) -> dict[str, float]:
    return {line.label: line.usd for line in forecast.lines}


def dollars(amounts: dict[str, float]) -> dict[str, object]:
    """To a millionth of a dollar."""
    return {label: pytest.approx(usd, abs=1e-6) for label, usd in amounts.items()}


def test_a_million_photos_by_hand() -> None:
    """1,000,000 photos, 100 at once, 1,024 MB on x86_64, 60 ms warm and 900 ms cold; S3 takes 100.

    An invocation takes 160 ms, a cold one 1 s.
    Time: 1 s + (1,000,000 - 100) / 100 rounds of 0.16 s = 1 + 9,999 x 0.16 = 1,600.84 s.
      By the request rate it would be 1,000,000 / 1,000 - 1 + 0.16 = 999.16 s, which is less.
    Duration: 100 x 1 s x 1 GB + 999,900 x 0.16 s x 1 GB = 160,084 GB-s;
      x 0.0000166667 = 2.668072 USD.
    Logs: 1,000,000 x (580 + 485) bytes + 100 x (360 + 340) bytes = 1.06507 GB; x 0.50.
    Metrics: 6 x 0.30 a month of 730 hours, for the one hour that has begun.
    Manifest: 1,000,000 x 0.000000015. Report: 1,000,000 x 600 bytes = 0.6 GB; x 0.023.
    """
    forecast = forecast_batch(
        BatchPlan(1_000_000, 100),
        FunctionConfig(1024, "x86_64", services=Services(COSTS)),
        Constant(900),
        Constant(60),
    )

    assert forecast.seconds == pytest.approx(1600.84)
    assert forecast.limit == "concurrency"
    assert bill(forecast) == dollars(
        {
            "S3 Batch: job": 0.25,
            "S3 Batch: objects": 1.00,
            "S3: manifest": 0.015,
            "S3: photos read": 0.40,
            "S3: storage": 0.0138,
            "Lambda: requests": 0.20,
            "Lambda: duration": 2.668072,
            "Logs": 0.532535,
            "Metrics": 0.002466,
        }
    )
    assert forecast.usd == pytest.approx(5.081873, abs=1e-5)


def test_photos_of_another_region_with_results_and_retries_by_hand() -> None:
    """10,000 photos of 2 MB in another region, 10 at once, 512 MB on arm64, 100 ms warm and 1,700
    ms cold, three requests to S3 of 100 ms each; 1 % run again; own manifest, no platform lines.

    Invocations: 10,000 + 1 % = 10,100, of 400 ms each, cold 2 s.
    Time: 2 s + (10,100 - 10) / 10 x 0.4 s = 2 + 403.6 = 405.6 s.
    Duration: 0.5 GB x (10 x 2 s + 10,090 x 0.4 s) = 0.5 x 4,056 = 2,028 GB-s;
      x 0.0000133334 = 0.027040 USD.
    Results: 10,100 x (0.000005 + 0.0000004). Storage: 10,000 x 1,200 bytes = 0.012 GB; x 0.023.
    Logs: 10,100 x 580 + 10 x 360 bytes = 0.0058616 GB; x 0.50.
    Traffic: 10,100 x 2 MB = 20.2 GB; x 0.02.
    """
    services = Services(COSTS, platform_lines=False, object_kb=2000)
    forecast = forecast_batch(
        BatchPlan(10_000, 10, 0.01, results=True, manifest="csv", same_region=False),
        FunctionConfig(512, "arm64", services=services),
        Constant(1700),
        Constant(100),
    )

    assert forecast.seconds == pytest.approx(405.6)
    assert bill(forecast) == dollars(
        {
            "S3 Batch: job": 0.25,
            "S3 Batch: objects": 0.01,
            "S3: photos read": 0.00404,
            "S3: results": 0.05454,
            "S3: storage": 0.000276,
            "Lambda: requests": 0.00202,
            "Lambda: duration": 0.027040,
            "Logs": 0.002931,
            "Metrics": 0.002466,
            "Traffic": 0.404,
        }
    )
    assert forecast.usd == pytest.approx(0.757313, abs=1e-5)


def test_twenty_million_short_invocations_by_hand() -> None:
    """20,000,000 photos, 500 at once, 2,048 MB on x86_64, 15 ms warm and 475 ms cold; S3 takes 25;
    S3 generates the manifest; six alarms and a dashboard.

    An invocation takes 40 ms: 500 / 0.04 s = 12,500 a second, but Lambda accepts 5,000.
    Time: 20,000,000 / 5,000 s - 1 s (those of the first second may come at once) + 0.04 s
      = 3,999.04 s.
    Duration: 2 GB x (500 x 0.5 s + 19,999,500 x 0.04 s) = 2 x 800,230 = 1,600,460 GB-s;
      x 0.0000166667 = 26.674387 USD.
    Logs: 20,000,000 x 1,065 + 500 x 700 bytes = 21.30035 GB; x 0.50.
    Metrics: 1.80 x 2 / 730. Alarms: (6 x 0.10 + 3.00) x 2 / 730.
    """
    services = Services(COSTS, alarms=6, dashboards=1)
    forecast = forecast_batch(
        BatchPlan(20_000_000, 500, s3_ms=25),
        FunctionConfig(2048, "x86_64", services=services),
        Constant(475),
        Constant(15),
    )

    assert forecast.seconds == pytest.approx(3999.04)
    assert forecast.limit == "request rate"
    assert bill(forecast) == dollars(
        {
            "S3 Batch: job": 0.25,
            "S3 Batch: objects": 20.00,
            "S3: manifest": 0.30,
            "S3: photos read": 8.00,
            "S3: storage": 0.276,
            "Lambda: requests": 4.00,
            "Lambda: duration": 26.674387,
            "Logs": 10.650175,
            "Metrics": 0.004932,
            "Alarms, dashboards": 0.009863,
        }
    )
    assert forecast.usd == pytest.approx(70.165357, abs=1e-5)
    assert forecast.simulated is None


@pytest.mark.parametrize(
    ("objects", "concurrency", "cold", "warm", "limit"),
    [
        (50, 100, Constant(424), Constant(15.3), "concurrency"),
        (20_000, 100, Constant(424), Constant(15.3), "concurrency"),
        (20_000, 100, Constant(424), LogNormal(60, 300), "concurrency"),
        (30_000, 1000, Constant(424), Constant(200), "concurrency"),
        # Environments above 1,000 come at 100 a second: all of 1,500, and not all of 3,000.
        (100_000, 1500, Constant(424), Constant(200), "concurrency"),
        (100_000, 3000, Constant(1900), Constant(50), "concurrency"),
    ],
)
def test_arithmetic_and_simulation_agree(
    objects: int, concurrency: int, cold: Durations, warm: Durations, limit: str
) -> None:
    forecast = forecast_batch(
        BatchPlan(objects, concurrency), FunctionConfig(1769, "x86_64"), cold, warm
    )

    assert forecast.limit == limit
    assert forecast.simulated is not None
    assert forecast.simulated_seconds == pytest.approx(forecast.seconds, rel=0.02)


@pytest.mark.parametrize("concurrency", [10, 100])
def test_arithmetic_and_simulation_agree_on_the_request_rate(concurrency: int) -> None:
    # Given invocations of 20 ms, of which Lambda accepts 10 a second for each unit of concurrency
    forecast = forecast_batch(
        BatchPlan(300 * concurrency, concurrency, s3_ms=5),
        FunctionConfig(1769, "x86_64"),
        Constant(400),
        Constant(15),
    )

    assert forecast.limit == "request rate"
    assert forecast.seconds == pytest.approx(29.02)
    assert forecast.simulated_seconds == pytest.approx(forecast.seconds, rel=0.02)
    assert forecast.simulated is not None
    assert forecast.simulated.throttled > 0


def test_every_invocation_is_simulated_once() -> None:
    forecast = forecast_batch(
        BatchPlan(5000, 30, 0.02), FunctionConfig(1769, "x86_64"), Constant(400), LogNormal(20, 90)
    )

    assert forecast.simulated is not None
    assert len(forecast.simulated.cold_durations) == 30
    assert len(forecast.simulated.warm_durations) == 5100 - 30


def test_only_the_named_parts_are_in_the_bill() -> None:
    forecast = forecast_batch(
        BatchPlan(1000, 10),
        FunctionConfig(1769, "x86_64", services=Services(("compute", "logs"))),
        Constant(400),
        Constant(20),
    )

    assert bill(forecast).keys() == {"Lambda: requests", "Lambda: duration", "Logs"}
    assert forecast.usd == pytest.approx(sum(bill(forecast).values()))


def test_a_job_that_is_too_large_to_simulate_has_a_time_by_arithmetic() -> None:
    plan = BatchPlan(SIMULATED + 1, 100)

    forecast = forecast_batch(plan, FunctionConfig(1769, "x86_64"), Constant(400), Constant(20))

    assert forecast.simulated_seconds is None
    assert forecast.as_json()["simulated_seconds"] is None
    assert forecast.seconds == pytest.approx(0.5 + (SIMULATED + 1 - 100) / 100 * 0.12)
