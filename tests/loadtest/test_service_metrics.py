"""The service's own view of a run, from its /metrics."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.loadtest import service_metrics
from local.loadtest.service_metrics import Watch, difference, has_metrics, parse, read_body
from tests.support.scripts import measured
from tests.support.server import Server
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS

PATIENT = f"""
import runpy
from local.loadtest import service_metrics

service_metrics._TIMEOUT_SECONDS = {HANG_SECONDS}
runpy.run_path("local/test_script.py", run_name="__main__")
"""

BEFORE = """\
# TYPE classifier_request_duration_seconds histogram
classifier_request_duration_seconds_count{method="POST",route="/",status="2xx"} 10
classifier_request_duration_seconds_count{method="POST",route="/",status="5xx"} 1
classifier_rejected_total 1
classifier_queue_duration_seconds_sum 1
classifier_queue_duration_seconds_count 10
classifier_decode_duration_seconds_sum 0.5
classifier_decode_duration_seconds_count 10
classifier_infer_duration_seconds_sum 0.1
classifier_infer_duration_seconds_count 10
process_cpu_seconds_total 3
"""
AFTER = """\
classifier_request_duration_seconds_count{method="GET",route="/metrics",status="2xx"} 1
classifier_request_duration_seconds_count{method="POST",route="/",status="2xx"} 30
classifier_request_duration_seconds_count{method="POST",route="/",status="5xx"} 6
classifier_rejected_total 6
classifier_queue_duration_seconds_sum 3
classifier_queue_duration_seconds_count 30
classifier_decode_duration_seconds_sum 0.5
classifier_decode_duration_seconds_count 10
classifier_infer_duration_seconds_sum 0.3
classifier_infer_duration_seconds_count 30
process_cpu_seconds_total 13
"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need more than the second that /metrics has."""
    monkeypatch.setattr(service_metrics, "_TIMEOUT_SECONDS", HANG_SECONDS)


def names_of_1_0(text: str) -> str:
    """`text` as a service of version 1.0 has it; its counts have no route."""
    text = re.sub(r'.*route="/metrics".*\n', "", text)
    requests = re.sub(
        r'classifier_request_duration_seconds_count{.*"(.)xx"}',
        r'classifier_requests_total{status="\g<1>00"}',
        text,
    )
    return requests.replace("_duration_seconds", "_seconds")


@pytest.mark.parametrize("written", [str, names_of_1_0])
def test_the_view_is_the_difference_of_two_readings(written: Callable[[str], str]) -> None:
    before, after = parse(written(BEFORE)), parse(written(AFTER))
    assert before is not None
    assert after is not None
    view = difference(before, after, seconds=5)
    assert view is not None
    assert (view.requests, view.rejected, view.images) == (25, 5, 20)
    assert (view.queue_ms, view.infer_ms) == (100, 10)
    assert view.decode_ms is None  # nothing was decoded
    assert view.cores == 2


def test_no_view_of_a_service_that_was_restarted() -> None:
    before, after = parse(AFTER), parse(BEFORE)
    assert before is not None
    assert after is not None
    assert difference(before, after, seconds=5) is None


def test_cores_are_unknown_if_the_service_does_not_say() -> None:
    """With several worker processes, /metrics has no CPU time."""
    without = {"classifier_request_duration_seconds_count": 1.0}
    view = difference(without, without, seconds=5)
    assert view is not None
    assert view.cores is None


@pytest.mark.usefixtures("patient")
def test_watch_reads_before_and_after(stub: Stub) -> None:
    stub.metrics = BEFORE
    watch = Watch(f"{stub.url}/delay/0?top_k=3")
    stub.metrics = AFTER
    view = watch.view()
    assert view is not None
    assert (view.requests, view.infer_ms) == (25, 10)
    assert stub.received == []


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "content", ["", "<!DOCTYPE html>", "up 1\n", 'classifier_x{a="} 3', '{e="",\u2028={1']
)
def test_other_servers_have_no_view(stub: Stub, content: str) -> None:
    stub.metrics = content
    assert Watch(f"{stub.url}/").view() is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000/", True),
        ("https://images.example/classify", True),
        ("function", False),
        ("arn:aws:lambda:eu-west-1:1:function:f", False),
        ("https://x.lambda-url.eu-west-1.on.aws/", False),
        ("https://x.execute-api.eu-west-1.amazonaws.com/", False),
    ],
)
def test_functions_are_not_asked(url: str, expected: bool) -> None:
    assert has_metrics(url) is expected


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("number", "other"),
    [("rejected_total 6", "rejected_total +Inf"), ("seconds_sum 3", "seconds_sum NaN")],
)
def test_numbers_that_are_not_finite_are_left_out(stub: Stub, number: str, other: str) -> None:
    stub.metrics = "process_cpu_seconds_total 3\nclassifier_other 1\n"
    watch = Watch(f"{stub.url}/")
    stub.metrics = AFTER.replace(number, other)
    view = watch.view()
    assert view is not None
    assert view.requests == 36
    if "rejected" in number:
        assert (view.rejected, view.queue_ms) == (0, 100)
    else:
        assert (view.rejected, view.queue_ms) == (6, None)


@pytest.mark.parametrize(
    ("number", "other"),
    [
        ("rejected_total 6", "rejected_total 0"),
        ("rejected_total 6", "rejected_total +Inf"),
        ("seconds_sum 3", "seconds_sum NaN"),
        ("cpu_seconds_total 13", "cpu_seconds_total 1"),
    ],
)
def test_no_figure_is_negative(number: str, other: str) -> None:
    """A service that was restarted may have counted more requests since, but less of the rest."""
    before, after = parse(BEFORE), parse(AFTER.replace(number, other))
    assert before is not None
    assert after is not None
    assert difference(before, after, seconds=5) is None


def test_a_response_that_takes_long_is_not_waited_for() -> None:
    class Slow:
        """Brings a byte whenever it is asked for one, without an end."""

        def read1(self, _: int) -> bytes:
            clock.append(clock[-1] + 0.4)
            return b"#"

    clock = [0.0]
    with pytest.raises(TimeoutError):
        read_body(Slow(), lambda: clock[-1])
    assert len(clock) == 4


def test_report_has_the_view_of_the_service(server: Server, tmp_path: Path) -> None:
    done, report = measured("-c", PATIENT, 3, "--late-ok", "--url", server.url, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    view = report["service"]
    assert view["images"] >= 3
    assert view["requests"] >= 3
    assert view["infer_ms"] > 0
    assert "/metrics of the service: " in done.stdout
