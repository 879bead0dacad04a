"""Direct invocations, and events that keep environments warm."""

import base64
import json
import re
import time
from typing import Any

import pytest

from classifier.api import schemas
from classifier.aws_lambda.direct_images import InvocationFailed
from classifier.aws_lambda.event_errors import UnknownEvent
from classifier.errors import StoreError
from classifier.model import Model
from tests.classifier.aws_lambda.conftest import LIMIT, Function
from tests.classifier.aws_lambda.events import OTHER
from tests.support.lambda_events import v2
from tests.support.pictures import SAMPLE_LABEL


@pytest.fixture
def image(sample: bytes) -> str:
    return base64.b64encode(sample).decode()


def test_image_gets_the_response_of_http(function: Function, sample: bytes, image: str) -> None:
    answer = function({"image": image})
    schemas.Result.model_validate(answer)
    assert answer["predictions"][0]["label"] == SAMPLE_LABEL
    response = function(v2("POST", "/", sample, {"content-type": "image/jpeg"}))
    assert json.loads(response["body"]) == answer
    assert function({"image": [image, image], "top_k": 5}) == [answer, answer]
    assert len(function({"image": image, "top_k": 2})["predictions"]) == 2
    assert set(function({"inputs": image})[0]) == {"label", "score"}


def test_image_needs_no_api_key(model: Model, function: Function, image: str) -> None:
    """The caller's permission to invoke the function is enough."""
    protected = Function(model, function.s3, api_key="secret")
    assert protected({"image": image})["predictions"][0]["label"] == SAMPLE_LABEL


def test_exceptions_over_http_are_counted_as_internal_errors(
    function: Function, sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda's own metric does not count them: the invocation succeeds."""
    monkeypatch.setattr(function.service.classifier, "classify", None)
    assert function(v2("POST", "/", sample, {"content-type": "image/jpeg"}))["statusCode"] == 500
    assert function.metrics.errors == {"Internal": 1}


@pytest.mark.parametrize("place", [None, "images", OTHER])
def test_key_gets_the_response_of_http(
    function: Function, sample: bytes, image: str, place: str | None
) -> None:
    function.put("incoming/x +.jpg", sample, place or "images")
    event = {"key": "incoming/x +.jpg"} | ({"bucket": place} if place else {})
    assert function(event) == function({"image": image})
    assert len(function({**event, "top_k": 2.0})["predictions"]) == 2
    assert function.results() == []


@pytest.mark.parametrize(
    ("event", "status", "detail"),
    [
        ({"image": "!"}, 422, "'image' is not base64"),
        ({"image": "aGVsbG8="}, 415, ""),
        ({"image": 1}, 422, "'image' is neither a string nor a list of strings"),
        ({"image": "aGVsbG8=", "key": "x"}, 422, "It must have either"),
        ({"image": "aGVsbG8=", "top_k": 0}, 422, "top_k must be a whole number from 1 to 100"),
        ({"key": 1}, 422, "event.key must be a string; it is a number"),
        ({"key": ""}, 422, "event.key must be a key of 1 to 1024 bytes"),
        ({"key": "incoming/\ud83d"}, 422, "event.key must be a key of 1 to 1024 bytes"),
        ({"key": "incoming/x", "bucket": None}, 422, "event.bucket must be a string"),
        ({"key": "incoming/x", "bucket": ""}, 422, "event.bucket must be the name of a bucket"),
        ({"key": "incoming/x", "top_k": "5"}, 422, "top_k must be a whole number from 1 to 100"),
        ({"key": "incoming/x", "top_k": True}, 422, "top_k must be a whole number from 1 to 100"),
        ({"key": "results/x"}, 404, "There is no object results/x"),
        ({"key": "x", "bucket": "another"}, 404, "There is no bucket another"),
        ({"key": "x", "bucket": "a b"}, 404, "There is no bucket a b"),
        ({"key": "incoming/gone"}, 404, "There is no object incoming/gone"),
        ({"key": "uploads/gone"}, 404, "POST /uploads returns a new key"),
        ({"key": "bad", "bucket": OTHER}, 415, ""),
        ({"key": "incoming/large"}, 413, "has 60001 bytes"),
        ({"key": "incoming/2026/"}, 403, "s3://images/incoming/2026/ is a folder"),
    ],
)
def test_user_error_is_answered_with_its_problem(
    function: Function, event: dict[str, Any], status: int, detail: str
) -> None:
    """Not raised: Lambda would try an asynchronous invocation again."""
    function.put("bad", b"no image", OTHER)
    function.put("incoming/large", bytes(LIMIT + 1))
    function.put("incoming/2026/", b"")
    problem = function(event)
    schemas.Problem.model_validate(problem)
    assert problem["status"] == status
    assert detail in problem["detail"]


def test_keys_need_a_bucket(model: Model, function: Function) -> None:
    none = Function(model, function.s3, bucket="", photo_bucket="")
    problem = none({"key": "incoming/x"})
    assert (problem["status"], "BUCKET is not set" in problem["detail"]) == (422, True)


def test_failure_of_s3_fails_the_invocation(function: Function) -> None:
    function.on_request("GetObject", lambda _: "SlowDown")
    with pytest.raises(StoreError, match="SlowDown"):
        function({"key": "incoming/x"})


def test_failure_of_the_service_fails_the_invocation(
    function: Function, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(function.service.classifier, "classify", fail)
    with pytest.raises(InvocationFailed, match="The service failed; its log has the details"):
        function({"image": image})


@pytest.mark.parametrize(
    "event",
    [
        {"warmup": True},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"},
        {"source": "serverless-plugin-warmup"},
        {"source": "serverless-plugin-lambda-warmup"},
        {"warmer": True, "concurrency": 3, "__WARMER_INVOCATION__": 2},
        {"type": "warmer", "warmerId": "warmer-1", "index": 0, "concurrency": 2, "delay": 75},
    ],
)
def test_warm_up_is_answered(function: Function, event: dict[str, Any]) -> None:
    """Not at once: events that arrive together need as many environments."""
    start = time.perf_counter()
    assert function(event) == {"status": "warm", "model": "efficientnet-lite0-int8"}
    assert time.perf_counter() - start >= 0.05


@pytest.mark.parametrize(
    ("event", "outline"),
    [
        ({}, "an object with the keys []"),
        ({"hello": 1, "a": {"secret": 2}}, "an object with the keys ['a', 'hello']"),
        ({"warmup": False}, "an object with the keys ['warmup']"),
        ({"Records": {}}, "an object with the keys ['Records']"),
        ({"source": "aws.ec2", "detail-type": "x"}, "['detail-type', 'source']"),
        ([], "a list of 0"),
        ("text", "a string of 4 characters"),
        (None, "null"),
    ],
)
def test_other_event_is_refused(function: Function, event: Any, outline: str) -> None:
    with pytest.raises(UnknownEvent, match=rf"none of them: .*{re.escape(outline)}"):
        function(event)
