"""Messages of SQS: only those that may succeed later come back."""

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.images import MemoryBudget
from classifier.model import Model
from tests.classifier.aws_lambda.conftest import Function
from tests.classifier.aws_lambda.events import (
    Event,
    event_bridge,
    failed_event,
    s3,
    s3_test,
    sns,
    sns_envelope,
    sqs,
    sqs_message,
)
from tests.support.pictures import SAMPLE_LABEL
from tests.support.wait import HANG_SECONDS

BODIES: dict[str, Callable[[str], Event]] = {
    "S3": s3,
    "EventBridge": event_bridge,
    "SNS around S3": lambda key: sns_envelope(s3(key)),
    "SNS around EventBridge": lambda key: sns_envelope(event_bridge(key)),
    "SNS in SNS": lambda key: sns_envelope(sns_envelope(s3(key))),
    "failed event of S3": lambda key: failed_event(s3(key)),
    "failed event of SNS": lambda key: failed_event(sns(s3(key))),
    "failed event of EventBridge": lambda key: failed_event(event_bridge(key)),
}


def failures(answer: Any) -> list[str]:
    """The messages that come back."""
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def fail_for(function: Function, *names: str, code: str = "SlowDown") -> None:
    """Let S3 fail for keys that end with these names."""
    function.on_request("GetObject", lambda url: code if url.endswith(names) else None)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_photo_of_a_message_gets_a_result(
    function: Function, sample: bytes, body: Callable[[str], Event]
) -> None:
    function.put("incoming/1+1 cät.jpg", sample)
    assert failures(function(sqs(body("incoming/1+1 cät.jpg")))) == []
    assert function.result("1+1 cät.jpg")["predictions"][0]["label"] == SAMPLE_LABEL


def test_only_temporary_failures_come_back(function: Function, sample: bytes) -> None:
    for key in ("incoming/a", "incoming/c"):
        function.put(key, sample)
    function.put("incoming/d", b"no image")
    fail_for(function, "/b")
    batch = sqs(*(s3(f"incoming/{name}") for name in "abcde"), s3_test(), s3("results/x"))
    assert failures(function(batch)) == ["m1"]
    assert function.results() == [f"results/{name}.json" for name in "acde"]
    assert [function.result(name).get("status") for name in "acde"] == [None, None, 415, 404]


def test_message_with_several_photos_fails_as_a_whole(function: Function, sample: bytes) -> None:
    for key in ("incoming/a", "incoming/c"):
        function.put(key, sample)
    fail_for(function, "/b")
    assert failures(function(sqs(s3("incoming/a", "incoming/b", "incoming/c")))) == ["m0"]
    assert function.results() == ["results/a.json", "results/c.json"]


def test_duplicates_are_classified_once(function: Function, sample: bytes) -> None:
    function.put("incoming/a", sample)
    fail_for(function, "/b")
    message, failing = sqs_message(s3("incoming/a"), "m0"), sqs_message(s3("incoming/b"), "m1")
    other = sqs_message(event_bridge("incoming/a", size=9), "m2")
    answer = function({"Records": [message, failing, message, failing, other]})
    assert failures(answer) == ["m1"]
    assert function.metrics.images == 1
    assert function.metrics.errors == {"Store": 1}


def test_later_messages_of_a_group_do_not_overtake_one_that_failed(
    function: Function, sample: bytes
) -> None:
    for name in "acde":
        function.put(f"incoming/{name}", sample)
    fail_for(function, "/b")
    groups = zip("abcde", "xxxyx", strict=True)
    messages = [sqs_message(s3(f"incoming/{name}"), name, group) for name, group in groups]
    assert failures(function({"Records": messages})) == ["b", "c", "e"]
    assert function.results() == ["results/a.json", "results/d.json"]


def test_groups_of_other_queues_have_no_order(function: Function, sample: bytes) -> None:
    """Standard queues have groups for fairness."""
    function.put("incoming/b", sample)
    fail_for(function, "/a")
    messages = [sqs_message(s3(f"incoming/{name}"), name, "x") for name in "ab"]
    for message in messages:
        message["eventSourceARN"] = message["eventSourceARN"].removesuffix(".fifo")
    assert failures(function({"Records": messages})) == ["a"]


def test_photos_without_time_left_come_back(function: Function, sample: bytes) -> None:
    for name in "abc":
        function.put(f"incoming/{name}", sample)
    batch = sqs(*(s3(f"incoming/{name}") for name in "abc"))
    back = failures(function(batch, 900, 900))
    assert len(back) == 2
    assert len(function.results()) == 1
    assert function.metrics.errors == {}


def test_photos_wait_for_s3_together_and_are_classified_one_by_one(
    function: Function, sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)
    classify = function.service.classifier.classify
    threads = set()

    def wait(_: str) -> None:
        together.wait(HANG_SECONDS)

    def check(*arguments: Any) -> Any:
        threads.add(threading.get_ident())
        return classify(*arguments)

    for name in "abc":
        function.put(f"incoming/{name}", sample)
    function.on_request("GetObject", wait)
    monkeypatch.setattr(function.service.classifier, "classify", check)
    assert failures(function(sqs(*(s3(f"incoming/{name}") for name in "abc")))) == []
    assert len(threads) == 1


def test_photos_wait_for_memory(model: Model, function: Function, sample: bytes) -> None:
    """Given room for one of them; another has no room at all."""
    memory = MemoryBudget(200_000_000, bodies=len(sample) + 1000)
    small = Function(model, function.s3, memory=memory)
    for name in "abcd":
        small.put(f"incoming/{name}", sample)
    small.put("incoming/e", sample + bytes(2000))
    assert failures(small(sqs(*(s3(f"incoming/{name}") for name in "abcde")))) == []
    assert [small.result(name).get("status") for name in "abcde"] == [None] * 4 + [413]
    assert memory.used == 0


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("a fault")])
def test_unexpected_error_fails_one_message(
    function: Function, sample: bytes, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in "ab":
        function.put(f"incoming/{name}", sample)
    classify = function.service.classifier.classify
    errors = [error]

    def fail_once(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return classify(*arguments)

    monkeypatch.setattr(function.service.classifier, "classify", fail_once)
    assert len(failures(function(sqs(s3("incoming/a"), s3("incoming/b"))))) == 1
    assert function.metrics.errors == {"Internal": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "body must be JSON; it is a string of 0 characters"),
        ("hello", "body must be JSON"),
        ("[" * 100_000, "body must be JSON"),
        ("3", "body must be a notification of S3; it is a number"),
        ("{}", r"body must be a notification of S3; it is an object with the keys \[\]"),
        (s3("incoming/" + "k" * 2000), "a key of 1 to 1024 bytes"),
        (sqs(s3("incoming/a")), r"body.Records\[0\] must be a record of S3 or SNS"),
        (failed_event({"image": "aGVsbG8="}), "requestPayload must be a notification of S3"),
        (json.dumps({"Type": "Notification", "Message": 1}), "Message must be a string"),
    ],
)
def test_message_that_is_no_notification_goes_to_the_dead_letter_queue(
    function: Function, caplog: pytest.LogCaptureFixture, body: Event | str, message: str
) -> None:
    function.put("incoming/b", b"no image")
    assert failures(function(sqs(body, s3("incoming/b")))) == ["m0"]
    (line,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith("event.Records[0].body")
    assert re.search(message, line)
    assert function.metrics.errors["MalformedEvent"] == 1
    assert function.results() == ["results/b.json"]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"eventSource": "aws:sqs"}], r"event\.Records\[0\]\.messageId is missing"),
        (
            [{"eventSource": "aws:sqs", "messageId": 1}],
            "messageId must be a string; it is a number",
        ),
        ([sqs_message("", "m0"), *s3("incoming/a")["Records"]], r"\[1\]\.messageId is missing"),
        ([*s3("incoming/a")["Records"], sqs_message("", "m0")], r"\[0\]\.messageId is missing"),
    ],
)
def test_batch_without_identifiers_fails(
    function: Function, records: list[Event], message: str
) -> None:
    with pytest.raises(MalformedEvent, match=message):
        function({"Records": records})
