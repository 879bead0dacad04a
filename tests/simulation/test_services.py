"""The cost of logs, metrics, S3 and traffic, and the sizes that it follows from."""

import json
import logging
from io import StringIO
from typing import Any

import pytest

from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.emf import EmbeddedMetrics
from local.loadtest.schedule import WavePlan
from local.simulation import service_figures
from local.simulation.aws_figures import Figure
from local.simulation.durations import Constant, Times
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits
from local.simulation.services import COSTS, Services
from tests.support.event_loop import current_event_loop
from tests.support.lambda_events import v2

FUNCTION = "image-classifier-Classifier-AbCdEfGh1234"
"""As CloudFormation names the function of the default stack"""
REQUEST = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
TRACE = "Root=1-6352a70e-1e2c502e358361800241fd45;Parent=35465b3a9e2f7c6a;Sampled=1"
GATEWAY_HEADERS = 200


class Context:
    aws_request_id = REQUEST


class Run:
    """Two invocations of the handler of a function: a photo, and a file that is none."""

    def __init__(self, sample: bytes) -> None:
        output = StringIO()
        metrics = EmbeddedMetrics(FUNCTION, output)
        service = Service(
            Classifier(load_model(str(SHIPPED_MODEL)), metrics),
            Settings(lambda_function=FUNCTION, threads=1, access_log=False),
        )
        handler = create_handler(create_lambda_app(service), service)
        headers = {"content-type": "image/jpeg"}
        self.response = handler(v2("POST", "/", sample, headers), Context())
        handler(v2("POST", "/", b"no image", headers), Context())
        self.cold, self.classified, self.failed = output.getvalue().splitlines(keepends=True)


@pytest.fixture
def logged(sample: bytes, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    with current_event_loop():
        return Run(sample)


def near(figure: Figure) -> object:
    return pytest.approx(figure.value, rel=0.05)


def test_sizes_are_those_of_the_service(logged: Run) -> None:
    headers = sum(len(f"{name}: {value}\r\n") for name, value in logged.response["headers"].items())

    assert len(logged.classified) == near(service_figures.CLASSIFICATION_LINE)
    assert len(logged.cold) == near(service_figures.COLD_START_LINE)
    assert len(logged.response["body"]) + headers + GATEWAY_HEADERS == near(
        service_figures.RESPONSE
    )


def test_metrics_are_those_of_the_service(logged: Run) -> None:
    names = {
        metric["Name"]
        for line in (logged.cold, logged.classified, logged.failed)
        for metric in json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }

    assert len(names) == service_figures.METRICS.value
    assert all(name in service_figures.METRICS.meaning for name in names)


def compact(kind: str, record: dict[str, Any]) -> str:
    line = {"time": "2026-10-08T07:30:28.235Z", "type": f"platform.{kind}", "record": record}
    return json.dumps(line, separators=(",", ":")) + "\n"


def test_sizes_of_platform_lines_are_those_of_lines_that_lambda_logs() -> None:
    """The fields that functions logged in October 2026."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}:live"
    start = compact("start", {"requestId": REQUEST, "functionArn": arn, "version": "1"})
    metrics = {"durationMs": 15.301, "billedDurationMs": 16}
    memory = {"memorySizeMB": 1769, "maxMemoryUsedMB": 123}
    report = {"requestId": REQUEST, "metrics": metrics | memory, "status": "success"}
    kind = {"initializationType": "on-demand", "phase": "init"}
    instance = f"2026/10/08/{FUNCTION}[1]22be53a8cfde4e68b844f8ec293b2543"
    place = {"instanceId": instance, "instanceMaxMemory": 1854930944}
    init = {**kind, "functionName": FUNCTION, "functionVersion": "1", **place}

    assert len(start + compact("report", report)) == near(service_figures.PLATFORM_LINES)
    assert len(compact("initStart", init)) == near(service_figures.INIT_LINE)


def predicted(services: Services, seconds: int = 3600, api_kb: float | None = None) -> Prediction:
    """10 requests every second, the first 10 of which are cold."""
    return predict(
        WavePlan(10, 1, seconds).schedule(),
        Limits(),
        FunctionConfig(1024, "x86_64", http_api_kb=api_kb, services=services),
        Times(Constant(500), Constant(50)),
    )


def test_services_of_a_plan_by_hand() -> None:
    """36,000 requests, 10 of them cold, in an hour; 10 % of the photos, of 2 MB, by S3.

    Logs: 36,000 x (580 + 485) + 10 x (360 + 340) bytes = 0.038347 GB; x 0.50.
    Metrics: 6 x 0.30 / 730 h. Alarms: (5 x 0.10 + 3.00) / 730 h.
    S3: 3,600 x (0.000005 + 0.0000004), and 3,600 x 2 MB = 7.2 GB for a day of 30.4; x 0.023.
    Traffic: 36,000 x 1,200 bytes = 0.0432 GB; x 0.09.
    """
    bill = predicted(Services(COSTS, True, 0.1, 2000, alarms=5, dashboards=1)).bill

    assert bill.logs == pytest.approx(0.0191735)
    assert bill.metrics == pytest.approx(1.80 / 730)
    assert bill.alarms == pytest.approx(3.50 / 730)
    assert bill.s3 == pytest.approx(0.01944 + 7.2 * 0.023 / (365 / 12))
    assert bill.transfer == pytest.approx(0.003888)
    services = bill.logs + bill.metrics + bill.alarms + bill.s3 + bill.transfer
    assert bill.total == pytest.approx(bill.requests + bill.duration + services)


def test_warn_leaves_only_the_lines_of_the_service() -> None:
    bill = predicted(Services(COSTS, platform_lines=False)).bill

    assert bill.logs == pytest.approx((36_000 * 580 + 10 * 360) / 1e9 * 0.50)


def test_requests_write_no_lines_that_are_not_counted(
    sample: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Given the level that the runtime sets for logs in JSON."""
    caplog.set_level(logging.INFO)

    with current_event_loop():
        Run(sample)

    assert caplog.messages == []


def test_metrics_are_billed_by_the_hour_that_has_begun() -> None:
    short, long = (predicted(Services(COSTS), seconds).bill for seconds in (60, 3602))

    assert short.metrics == pytest.approx(1.80 / 730)
    assert long.metrics == pytest.approx(2 * 1.80 / 730)


def test_a_month_has_metrics_in_the_hours_of_the_plan_and_alarms_in_all() -> None:
    services = Services(("metrics", "alarms"), alarms=5)
    found = predict(
        WavePlan(10, 1, 60).schedule(),
        Limits(),
        FunctionConfig(1024, "x86_64", services=services),
        Times(Constant(500), Constant(50)),
        hours_per_day=8,
    ).month

    assert found is not None
    assert found.usd == pytest.approx(1.80 / 3 + 0.50)
    assert found.services_usd == pytest.approx(found.usd)


@pytest.mark.parametrize("part", COSTS)
def test_each_part_can_be_left_out(part: str) -> None:
    everything = Services(COSTS, True, 0.1, 2000, 5, 1)
    others = Services(tuple(each for each in COSTS if each != part), True, 0.1, 2000, 5, 1)

    whole, less = (predicted(each, api_kb=100).bill for each in (everything, others))

    fields = {"api": "http_api", "compute": "duration"}
    assert getattr(less, fields.get(part, part)) == 0
    assert getattr(whole, fields.get(part, part)) > 0
    assert less.total < whole.total


def test_only_the_function_is_counted_unless_more_is_asked_for() -> None:
    bill = predicted(Services()).bill

    assert bill.total == bill.requests + bill.duration
