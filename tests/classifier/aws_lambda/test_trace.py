"""The lines for CloudWatch have the trace of their request."""

import json
from collections.abc import Callable
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
from classifier.telemetry.trace_context import LAMBDA_VARIABLE
from tests.support.lambda_events import v1, v2

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
AMZN = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"


def embedded_lines(
    call: Callable[[Callable[..., Any]], object],
) -> list[dict[str, Any]]:
    """The lines for CloudWatch that a function writes while `call` calls its handler."""
    output = StringIO()
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), EmbeddedMetrics("f", output))
    service = Service(classifier, Settings(lambda_function="f", threads=1, access_log=False))
    call(create_handler(create_lambda_app(service), service))
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("shape", [v1, v2])
def test_lines_for_cloudwatch_have_the_trace_of_the_caller(
    sample: bytes, shape: Callable[..., dict[str, Any]]
) -> None:
    headers = {"content-type": "image/jpeg", "traceparent": PARENT}
    event = shape("POST", "/", sample, headers)
    lines = embedded_lines(lambda handler: handler(event, None))
    (image,) = [line for line in lines if "InferTime" in line]
    assert (image["trace_id"], image["span_id"], image["format"]) == (TRACE, SPAN, "jpeg")
    assert image["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function"]]


def test_trace_of_one_invocation_is_not_that_of_the_next(
    sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime sets the variable for each invocation; a request may not name a trace."""
    head = {"content-type": "image/jpeg"}
    traced, bare = (
        v2("POST", "/", b"no image", each) for each in ({**head, "traceparent": PARENT}, head)
    )

    def call(handler: Callable[..., Any]) -> None:
        monkeypatch.delenv(LAMBDA_VARIABLE, raising=False)
        handler(traced, None)
        handler(bare, None)
        monkeypatch.setenv(LAMBDA_VARIABLE, AMZN.replace("1-4bf9", "1-aaaa"))
        handler(bare, None)

    errors = [line for line in embedded_lines(call) if "Errors" in line]
    assert [line.get("trace_id") for line in errors] == [TRACE, None, TRACE.replace("4bf9", "aaaa")]
