"""Tasks of S3 Batch Operations: the completion report has their results."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.model import Model
from tests.classifier.aws_lambda.conftest import LIMIT, Function
from tests.classifier.aws_lambda.events import OTHER, Event, batch, batch_2
from tests.support.pictures import SAMPLE_LABEL, encode, photo

VERSIONS: dict[str, Callable[..., Event]] = {"1.0": batch, "2.0": batch_2}


@pytest.fixture(params=VERSIONS)
def tasks(request: pytest.FixtureRequest) -> Callable[..., Event]:
    return VERSIONS[request.param]


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(each["resultCode"], each["resultString"]) for each in answer["results"]]


@pytest.mark.parametrize("key", ["2026/cat.jpg", "1+1 %2B & 100%.jpg", "🐈/ cät.jpg"])
def test_classes_are_the_result_of_a_task(
    function: Function, sample: bytes, tasks: Callable[..., Event], key: str
) -> None:
    function.put(key, sample, OTHER)
    event = tasks(key)
    answer = function(event)
    (result,) = answer.pop("results")
    assert answer == {
        "invocationSchemaVersion": event["invocationSchemaVersion"],
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": event["invocationId"],
    }
    assert (result["taskId"], result["resultCode"]) == ("t0", "Succeeded")
    classes = json.loads(result["resultString"])
    assert classes["model"] == "efficientnet-lite0-int8"
    assert [set(each) for each in classes["predictions"]] == [{"label", "probability"}] * 5
    assert classes["predictions"][0]["label"] == SAMPLE_LABEL
    assert ": " not in result["resultString"]
    assert function.results() == []


def test_each_task_has_its_result(function: Function, sample: bytes) -> None:
    for key in ("a", "b"):
        function.put(key, sample, OTHER)
    function.put("bad", b"no image", OTHER)
    function.put("large", bytes(LIMIT + 1), OTHER)
    function.put("2026/", b"", OTHER)
    function.on_request("GetObject", lambda url: "SlowDown" if url.endswith("/b") else None)
    answer = function(batch("a", "bad", "large", "gone", "2026/", "b", "a"))
    assert [each["taskId"] for each in answer["results"]] == [f"t{n}" for n in range(7)]
    found = codes(answer)
    assert found[0] == found[6]
    assert [code for code, _ in found] == [
        "Succeeded",
        "PermanentFailure",
        "PermanentFailure",
        "PermanentFailure",
        "Succeeded",
        "TemporaryFailure",
        "Succeeded",
    ]
    assert found[1][1].startswith("unsupported-format: ")
    assert found[2][1].startswith("object-too-large: The object large has 60001 bytes")
    assert found[3][1].startswith("object-not-found: There is no object gone")
    assert found[4][1] == '{"skipped":"s3://photos/2026/ is a folder"}'
    assert "SlowDown" in found[5][1]
    assert function.metrics.errors == {
        "UnsupportedFormat": 1,
        "Upload413": 1,
        "Upload404": 1,
        "Store": 1,
    }


def coffee() -> bytes:
    return encode(photo("coffee.png").resize((300, 200)), "JPEG")


def test_version_of_the_manifest_is_classified(
    function: Function, sample: bytes, tasks: Callable[..., Event]
) -> None:
    older = function.put("x", sample, OTHER)
    function.put("x", coffee(), OTHER)
    ((_, first),) = codes(function(tasks("x", version=older)))
    assert json.loads(first)["predictions"][0]["label"] == SAMPLE_LABEL
    ((_, newest),) = codes(function(tasks("x")))
    assert json.loads(newest)["predictions"][0]["label"] == "espresso"


def test_deleted_version_is_a_permanent_failure(function: Function, sample: bytes) -> None:
    function.put("x", sample, OTHER)
    mark = function.s3.delete_object(Bucket=OTHER, Key="x")["VersionId"]
    ((code, text),) = codes(function(batch("x", version=mark)))
    assert (code, text[:17]) == ("PermanentFailure", "object-not-found:")


@pytest.mark.parametrize(
    ("code", "result", "text"),
    [
        ("InvalidObjectState", "PermanentFailure", "object-unreadable: Cannot read x of photos"),
        ("kms", "PermanentFailure", "not authorized to perform: kms:Decrypt"),
        ("InvalidArgument", "PermanentFailure", "InvalidArgument"),
        ("AccessDenied", "PermanentFailure", "object-not-found: "),
        ("NoSuchBucket", "PermanentFailure", "There is no bucket photos"),
        ("RequestTimeout", "TemporaryFailure", "RequestTimeout"),
        ("InternalError", "TemporaryFailure", "InternalError"),
        ("ThrottlingException", "TemporaryFailure", "ThrottlingException"),
    ],
)
def test_errors_of_s3_are_told_apart(function: Function, code: str, result: str, text: str) -> None:
    function.on_request("GetObject", lambda _: code)
    ((found, reason),) = codes(function(batch("x")))
    assert found == result
    assert text in reason


def test_tasks_without_time_left_are_temporary_failures(function: Function, sample: bytes) -> None:
    """Given an invocation whose timeout would fail all of its tasks."""
    for key in "abc":
        function.put(key, sample, OTHER)
    found = codes(function(batch("a", "b", "c"), 900, 20_000))
    assert [code for code, _ in found] == ["Succeeded", "TemporaryFailure", "Succeeded"]
    assert found[1][1].startswith("Not started: 0.9 s of the invocation are left")


def test_results_are_written_if_the_job_asks(function: Function, sample: bytes) -> None:
    function.put("a/cat.jpg", sample, OTHER)
    function.put("bad", b"no image", OTHER)
    found = codes(function(batch_2("a/cat.jpg", "bad", results="s3", top_k="2")))
    assert [code for code, _ in found] == ["Succeeded", "PermanentFailure"]
    assert len(json.loads(found[0][1])["predictions"]) == 2
    result = function.result("photos/a/cat.jpg")
    assert (result["bucket"], result["key"]) == (OTHER, "a/cat.jpg")
    assert result["predictions"][0]["label"] == SAMPLE_LABEL
    assert len(result["predictions"]) == 2
    assert function.result("photos/bad")["status"] == 415


def test_many_classes_are_cut_to_fit_into_the_report(function: Function, sample: bytes) -> None:
    function.put("x", sample, OTHER)
    ((_, text),) = codes(function(batch_2("x", top_k="100")))
    assert 900 < len(text) <= 1024
    assert 10 < len(json.loads(text)["predictions"]) < 100


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"top_k": "0"}, "top_k must be a whole number from 1 to 100; it is '0'"),
        ({"top_k": ["5"]}, "top_k must be a whole number"),
        ({"results": "S3"}, "results must be s3"),
        ({"topk": "5"}, "are top_k and results; it has topk"),
        ("top_k", "event.job.userArguments must be an object"),
    ],
)
def test_wrong_argument_is_a_permanent_failure(
    function: Function, arguments: Any, text: str
) -> None:
    """S3 stops a job if half of its first thousand tasks fail."""
    event = batch_2("x")
    event["job"]["userArguments"] = arguments
    ((code, reason),) = codes(function(event))
    assert (code, text in reason) == ("PermanentFailure", True), reason


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("s3Key", None, "event.tasks[0].s3Key must be a string; it is null"),
        ("s3Key", "", "must be a key of 1 to 1024 bytes"),
        ("s3Key", "%FF", "must be a key of 1 to 1024 bytes"),
        ("s3Bucket", None, "event.tasks[0].s3Bucket must be a string; it is null"),
        ("s3Bucket", "", "event.tasks[0].s3Bucket must be the name of a bucket"),
        ("s3BucketArn", "arn:aws:s3:::", "s3BucketArn must be the ARN of a bucket"),
        ("s3VersionId", 1, "event.tasks[0].s3VersionId must be a string; it is a number"),
        ("s3Bucket", "another", "There is no bucket another"),
        ("s3Bucket", "a b", "There is no bucket a b"),
        ("s3Bucket", "images", "There is no object x"),
    ],
)
def test_task_that_cannot_be_run_is_a_permanent_failure(
    function: Function, sample: bytes, member: str, value: object, text: str
) -> None:
    function.put("x", sample, OTHER)
    event = batch_2("x", "x")
    event["tasks"][0][member] = value
    (code, reason), (second, _) = codes(function(event))
    assert (code, second) == ("PermanentFailure", "Succeeded")
    assert text in reason


def test_task_without_its_key_is_a_permanent_failure(function: Function) -> None:
    event = batch("x")
    del event["tasks"][0]["s3Key"]
    assert codes(function(event)) == [("PermanentFailure", "event.tasks[0].s3Key is missing.")]


@pytest.mark.parametrize("name", ["images", "photos"])
def test_photos_of_every_readable_bucket_are_classified(
    model: Model, function: Function, sample: bytes, name: str
) -> None:
    """The function's role decides what it may read, not its settings."""
    function.put("2026/x", sample, name)
    unset = Function(model, function.s3, bucket="", photo_bucket="")
    for each in (function, unset):
        ((code, _),) = codes(each(batch("2026/x", bucket=name)))
        assert code == "Succeeded"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {}}, r"event\.tasks must be a list; it is an object"),
        ({"tasks": [{}]}, r"event\.tasks\[0\]\.taskId is missing"),
        ({"tasks": ["x"]}, r"event\.tasks\[0\] must be an object"),
        ({"invocationId": None}, "invocationId must be a string; it is null"),
        ({"invocationSchemaVersion": 2}, "invocationSchemaVersion must be a string"),
    ],
)
def test_event_without_identifiers_fails(function: Function, changes: Event, message: str) -> None:
    with pytest.raises(MalformedEvent, match=message):
        function(batch("x") | changes)
