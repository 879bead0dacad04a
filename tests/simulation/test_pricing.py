"""Each line of the bill against its formula, in exact arithmetic."""

from decimal import Decimal

import pytest

from local.simulation.pricing import FunctionConfig, bill
from local.simulation.scaling import Limits
from tests.simulation.helpers import waves


def exactly(amount: Decimal | float) -> object:
    return pytest.approx(float(amount), rel=1e-12)


@pytest.mark.parametrize(
    ("architecture", "price"), [("x86_64", "0.0000166667"), ("arm64", "0.0000133334")]
)
def test_on_demand_requests_and_gb_seconds(architecture: str, price: str) -> None:
    # Given 100 cold requests of 1500 ms and 900 warm ones of 24.001 ms, billed as 25
    result = waves(100, 2, 10, cold_ms=1500, warm_ms=24.001, limits=Limits())

    charged = bill(result, FunctionConfig(1769, architecture))

    gb_seconds = Decimal(1769) / 1024 * (100 * Decimal("1.500") + 900 * Decimal("0.025"))
    init = Decimal(1769) / 1024 * 100 * Decimal("1.5") * Decimal(price)
    assert charged.gb_seconds == exactly(gb_seconds)
    assert charged.duration == exactly(gb_seconds * Decimal(price))
    assert charged.init == exactly(init)
    assert charged.requests == exactly(1000 * Decimal("0.0000002"))
    assert charged.total == exactly(gb_seconds * Decimal(price) + 1000 * Decimal("0.0000002"))


@pytest.mark.parametrize(
    ("milliseconds", "billed"), [(0.001, 1), (1, 1), (1.001, 2), (24.999, 25), (25, 25)]
)
def test_every_started_millisecond_is_billed(milliseconds: float, billed: int) -> None:
    result = waves(1, 1, 1, cold_ms=milliseconds, warm_ms=1, limits=Limits())

    assert bill(result, FunctionConfig(1024, "x86_64")).gb_seconds == exactly(billed / 1000)


@pytest.mark.parametrize(("unbilled_ms", "seconds"), [(0, 1.5), (400, 1.1), (2000, 0)])
def test_time_before_init_is_not_billed(unbilled_ms: float, seconds: float) -> None:
    result = waves(1, 1, 1, cold_ms=1500, warm_ms=1, limits=Limits())

    charged = bill(result, FunctionConfig(1024, "x86_64", unbilled_ms=unbilled_ms))

    assert charged.gb_seconds == exactly(seconds)


@pytest.mark.parametrize(
    ("architecture", "capacity", "duration"),
    [("x86_64", "0.0000041667", "0.0000097222"), ("arm64", "0.0000033334", "0.0000077778")],
)
def test_provisioned_concurrency(architecture: str, capacity: str, duration: str) -> None:
    # Given 20 provisioned environments that serve 60 waves for 295.05 s, and 5 requests too many
    result = waves(25, 5, 60, 1000, 50, limits=Limits(provisioned=20))

    charged = bill(result, FunctionConfig(2048, architecture, provisioned=20))

    # Then capacity is billed for 5 minutes, and duration at the lower price where it serves
    on_demand = {"x86_64": "0.0000166667", "arm64": "0.0000133334"}[architecture]
    low = 2 * (20 * 1 + 20 * 60 * Decimal("0.05")) * Decimal(duration)
    high = 2 * (5 * 1 + 5 * 59 * Decimal("0.05")) * Decimal(on_demand)
    assert charged.provisioned == exactly(20 * 2 * 300 * Decimal(capacity))
    assert charged.duration == exactly(low + high)
    assert charged.gb_seconds == exactly(2 * (25 * 1 + (25 * 60 - 5) * Decimal("0.05")))


def test_provisioned_concurrency_starts_another_five_minutes() -> None:
    result = waves(1, 300, 2, 1000, 50, limits=Limits(provisioned=1))

    charged = bill(result, FunctionConfig(1024, "x86_64", provisioned=1))

    assert charged.provisioned == exactly(600 * Decimal("0.0000041667"))


def test_ephemeral_storage_above_the_free_part() -> None:
    result = waves(10, 1, 1, cold_ms=1500, warm_ms=1, limits=Limits())

    charged = bill(result, FunctionConfig(1024, "x86_64", ephemeral_mb=1536))

    assert charged.ephemeral == exactly(15 * Decimal("0.0000000309"))


@pytest.mark.parametrize(("kilobytes", "calls"), [(0, 1), (110, 1), (512, 1), (513, 2), (1600, 4)])
def test_http_api_charges_each_started_512_kb(kilobytes: float, calls: int) -> None:
    result = waves(10, 1, 1, cold_ms=1500, warm_ms=1, limits=Limits())

    charged = bill(result, FunctionConfig(1024, "x86_64", http_api_kb=kilobytes))

    assert charged.http_api == exactly(10 * calls * Decimal("0.000001"))


def test_throttled_request_costs_only_its_http_api_call() -> None:
    result = waves(10, 1, 1, cold_ms=1500, warm_ms=1, limits=Limits(concurrency=4))

    charged = bill(result, FunctionConfig(1024, "x86_64", http_api_kb=1))

    assert charged.requests == exactly(4 * Decimal("0.0000002"))
    assert charged.gb_seconds == exactly(6)
    assert charged.http_api == exactly(10 * Decimal("0.000001"))
