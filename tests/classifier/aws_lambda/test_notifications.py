"""Notifications of S3, by every way: each new photo under incoming/ gets a result in results/."""

import logging
from collections.abc import Callable

import pytest
from mypy_boto3_s3 import S3Client

from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.errors import StoreError
from classifier.model import Model
from tests.classifier.aws_lambda.conftest import LIMIT, Function
from tests.classifier.aws_lambda.events import (
    OTHER,
    Event,
    event_bridge,
    failed_event,
    s3_record,
    s3_test,
    sns,
)
from tests.classifier.aws_lambda.events import s3 as s3_event
from tests.support.pictures import SAMPLE_LABEL, encode, photo

WAYS: dict[str, Callable[..., Event]] = {
    "S3": s3_event,
    "EventBridge": event_bridge,
    "SNS": lambda *args, **options: sns(s3_event(*args, **options)),
    "EventBridge through SNS": lambda *args, **options: sns(event_bridge(*args, **options)),
}

KEYS = [
    "incoming/cat.jpg",
    "incoming/my cät.jpg",
    "incoming/1+1 %2B & 100%.jpg",
    "incoming/a/b//c.jpg",
    "incoming/🐈/ 猫.jpg",
    "incoming/..",
    "incoming/" + "k" * 1007,
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[..., Event]:
    return WAYS[request.param]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:40]))
def test_incoming_image_gets_a_result(
    function: Function, sample: bytes, way: Callable[..., Event], key: str
) -> None:
    """Given keys that are encoded in some events, and not in others."""
    function.put(key, sample)
    name = key.removeprefix("incoming/")
    assert function(way(key)) == {"results": [f"results/{name}.json"]}
    first = function.result(name)
    assert first["predictions"][0]["label"] == SAMPLE_LABEL
    assert first["key"] == key
    assert "bucket" not in first


def test_photo_of_the_other_bucket_gets_a_result(
    function: Function, sample: bytes, way: Callable[..., Event]
) -> None:
    function.put("2026/cat.jpg", sample, OTHER)
    assert function(way("2026/cat.jpg", bucket=OTHER)) == {
        "results": [f"results/{OTHER}/2026/cat.jpg.json"]
    }
    result = function.result(f"{OTHER}/2026/cat.jpg")
    assert (result["bucket"], result["key"]) == (OTHER, "2026/cat.jpg")


def test_key_that_is_too_long_for_a_result_has_one_nevertheless(
    function: Function, sample: bytes
) -> None:
    key = "incoming/" + "k" * 1015
    function.put(key, sample)
    (result,) = function(s3_event(key))["results"]
    assert len(result) == len("results/.json") + 64
    assert function.result(result[8:-5])["key"] == key


def test_repeated_event_writes_the_same_result(function: Function, sample: bytes) -> None:
    function.put("incoming/cat.jpg", sample)
    results = []
    for _ in range(2):
        function(s3_event("incoming/cat.jpg", "incoming/cat.jpg"))
        results.append(function.result("cat.jpg"))
    assert results[0] == results[1]
    assert function.results() == ["results/cat.jpg.json"]
    assert function.metrics.images == 2  # not 4


@pytest.mark.parametrize(
    ("content", "status"), [(b"no image", 415), (b"", 422), (bytes(LIMIT + 1), 413), (None, 404)]
)
def test_unclassifiable_object_gets_an_error_result(
    function: Function, content: bytes | None, status: int
) -> None:
    if content is not None:
        function.put("incoming/bad", content)
    assert function(s3_event("incoming/bad")) == {"results": ["results/bad.json"]}
    assert function.result("bad")["status"] == status


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("InvalidObjectState", "object-unreadable"),  # archived
        ("kms", "object-unreadable"),
        ("KMS.DisabledException", "object-unreadable"),
        ("InvalidRequest", "object-unreadable"),  # encrypted with a key of the customer
        ("AccessDenied", "object-not-found"),  # as S3 answers without permission to list
    ],
)
def test_object_that_s3_refuses_for_good_gets_an_error_result(
    function: Function, caplog: pytest.LogCaptureFixture, sample: bytes, code: str, slug: str
) -> None:
    """Given an object whose ETag S3 tells nevertheless."""
    function.put("incoming/cat.jpg", sample)
    function.on_request("GetObject", lambda _: code)
    assert function(s3_event("incoming/cat.jpg")) == {"results": ["results/cat.jpg.json"]}
    result = function.result("cat.jpg")
    assert result["type"] == f"/problems#{slug}"
    assert "kms:Decrypt" not in str(result)
    assert ("kms:Decrypt" in caplog.text) is (code == "kms")


@pytest.mark.parametrize(
    "skipped",
    [
        s3_event("results/cat.jpg.json", "uploads/x", "incoming"),
        s3_event("incoming/cat.jpg", bucket="another"),
        event_bridge("incoming/cat.jpg", bucket="another"),
        s3_event("incoming/cat.jpg", name="ObjectRemoved:Delete"),
        event_bridge("incoming/cat.jpg", name="Object Deleted"),
        s3_event("incoming/2026/", size=0),
        s3_event("incoming/2026/"),
        event_bridge("2026/", bucket=OTHER, size=0),
        s3_test(),
        sns(s3_test()),
    ],
)
def test_what_is_no_photo_of_the_function_is_skipped(
    function: Function, caplog: pytest.LogCaptureFixture, sample: bytes, skipped: Event
) -> None:
    """Classifying results would make the function trigger itself."""
    function.put("incoming/cat.jpg", sample)
    function.put("incoming/2026/", b"")
    function.put("results/cat.jpg.json", b"{}")
    assert function(skipped) == {"results": []}
    assert function.results() == ["results/cat.jpg.json"]
    lines = [record for record in caplog.records if record.name.startswith("classifier.")]
    assert {record.levelno for record in lines} == {logging.WARNING}
    assert all(line.message.startswith("Skipped: ") for line in lines)


def test_bucket_of_photos_may_be_the_function_s_own(
    model: Model, function: Function, sample: bytes
) -> None:
    """It does not make the function classify its results."""
    same = Function(model, function.s3, photo_bucket="images")
    same.put("incoming/cat.jpg", sample)
    assert same(s3_event("incoming/cat.jpg", "results/cat.jpg.json")) == {
        "results": ["results/cat.jpg.json"]
    }


def test_without_buckets_everything_is_skipped(
    model: Model, function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    none = Function(model, function.s3, bucket="", photo_bucket="")
    assert none(s3_event("incoming/cat.jpg")) == {"results": []}
    assert "BUCKET and PHOTO_BUCKET are not set" in caplog.text
    read_only = Function(model, function.s3, bucket="")
    assert read_only(s3_event("cat.jpg", bucket=OTHER)) == {"results": []}
    assert "place for the result of s3://photos/cat.jpg: BUCKET is not set" in caplog.text


def test_missing_bucket_fails_the_invocation(
    model: Model, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    function = Function(model, s3, bucket="no-such-bucket")
    with pytest.raises(StoreError, match="2 of 2 objects failed: Cannot fetch incoming/a"):
        function(s3_event("incoming/a", "incoming/b", bucket="no-such-bucket"))
    assert function.metrics.errors == {"Store": 2}


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject"])
def test_failure_of_s3_fails_the_invocation_after_the_other_photos(
    function: Function, sample: bytes, operation: str
) -> None:
    for key in ("incoming/a", "incoming/b"):
        function.put(key, sample)
    function.on_request(operation, lambda url: "SlowDown" if "/a" in url else None)
    with pytest.raises(StoreError, match="1 of 2 objects failed"):
        function(s3_event("incoming/a", "incoming/b"))
    assert function.result("b")["predictions"][0]["label"] == SAMPLE_LABEL
    assert function.metrics.errors == {"Store": 1}


def test_photo_without_time_left_is_tried_again(function: Function, sample: bytes) -> None:
    for key in ("incoming/a", "incoming/b"):
        function.put(key, sample)
    with pytest.raises(StoreError, match=r"1 of 2 objects failed: Not started: 0\.5 s of the"):
        function(s3_event("incoming/a", "incoming/b"), 500)
    assert function.results() == ["results/a.json"]


def coffee() -> bytes:
    return encode(photo("coffee.png").resize((300, 200)), "JPEG")


def test_photo_that_is_replaced_meanwhile_is_classified_again(
    function: Function, sample: bytes
) -> None:
    """The invocation of the older photo writes last, and sees the newer one afterwards."""
    function.put("incoming/x", sample)
    puts: list[str] = []

    def replace(url: str) -> None:
        puts.append(url)
        if len(puts) == 1:
            function.put("incoming/x", coffee())

    function.on_request("PutObject", replace)
    function(s3_event("incoming/x"))
    assert len(puts) == 2
    assert function.result("x")["predictions"][0]["label"] == "espresso"


def test_archived_photo_that_is_replaced_meanwhile_is_classified(
    function: Function, sample: bytes
) -> None:
    function.s3.put_object(
        Bucket="images", Key="incoming/x", Body=sample, StorageClass="DEEP_ARCHIVE"
    )
    heads: list[str] = []

    def replace(url: str) -> None:
        heads.append(url)
        if len(heads) == 2:
            function.put("incoming/x", coffee())

    function.on_request("HeadObject", replace)
    function(s3_event("incoming/x"))
    assert function.result("x")["predictions"][0]["label"] == "espresso"


def test_photo_that_never_stays_is_left_to_a_later_event(function: Function, sample: bytes) -> None:
    count = iter(range(100))
    function.put("incoming/x", sample)
    function.on_request("PutObject", lambda _: function.put("incoming/x", b"%d" % next(count)))
    with pytest.raises(StoreError, match="replaced faster than it is classified"):
        function(s3_event("incoming/x"))


def test_photo_that_is_deleted_meanwhile_keeps_its_result(
    function: Function, sample: bytes
) -> None:
    function.put("incoming/x", sample)
    function.on_request(
        "PutObject", lambda _: function.s3.delete_object(Bucket="images", Key="incoming/x") and None
    )
    function(s3_event("incoming/x"))
    assert function.result("x")["predictions"][0]["label"] == SAMPLE_LABEL


def test_event_that_arrives_again_after_the_deletion_changes_nothing(
    function: Function, sample: bytes
) -> None:
    function.put("incoming/x", sample)
    function(s3_event("incoming/x"))
    function.s3.delete_object(Bucket="images", Key="incoming/x")
    assert function(s3_event("incoming/x")) == {"results": ["results/x.json"]}
    assert function.result("x")["predictions"][0]["label"] == SAMPLE_LABEL


def without(path: str) -> Event:
    record = s3_record("incoming/x")
    *parents, name = path.split(".")
    inner = record
    for parent in parents:
        inner = inner[parent]
    del inner[name]
    return {"Records": [record]}


def with_key(key: object) -> Event:
    record = s3_record("incoming/x")
    record["s3"]["object"]["key"] = key
    return {"Records": [record]}


def wrapped(times: int) -> Event:
    event = s3_event("incoming/x")
    for _ in range(times):
        event = sns(event)
    return event


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (without("s3"), r"event\.Records\[0\]\.s3 is missing"),
        (without("s3.object"), r"Records\[0\]\.s3\.object is missing"),
        (without("s3.bucket.name"), r"s3\.bucket\.name is missing"),
        (
            s3_event("incoming/x", bucket=""),
            r"name must be the name of a bucket; it is a string of 0",
        ),
        (without("eventName"), r"eventName is missing"),
        (with_key(None), r"s3\.object\.key must be a string; it is null"),
        (with_key({"a": 1}), r"key must be a string; it is an object with the keys \['a'\]"),
        (with_key(""), r"key must be a key of 1 to 1024 bytes of UTF-8; it is a string of 0 char"),
        (with_key("incoming/" + "k" * 2000), r"a key of 1 to 1024 bytes of UTF-8"),
        (with_key("incoming/%FF"), r"a key of 1 to 1024 bytes of UTF-8"),
        (with_key("incoming/\ud83d"), r"a key of 1 to 1024 bytes of UTF-8"),
        ({"Records": ["x"]}, r"Records\[0\] must be a record of S3 or SNS; it is a string of 1"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, r"must be a record of S3 or SNS"),
        ({"Records": [*s3_event("incoming/x")["Records"], 7]}, r"Records\[1\] must be a record"),
        (sns({}), r"Sns\.Message must be a notification of S3; it is an object with the keys"),
        ({"Records": [{"EventSource": "aws:sns"}]}, r"Records\[0\]\.Sns is missing"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{"}}]}, "must be JSON"),
        (
            {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "[" * 100_000}}]},
            "must be JSON; it is a string of 100000 characters",
        ),
        (wrapped(5), "wrapped more than 4 times"),
        ({"source": "aws.s3"}, r"event\.detail-type is missing"),
        ({"source": "aws.s3", "detail-type": "Object Created"}, r"event\.detail is missing"),
        (
            {"source": "aws.s3", "detail-type": "Object Created", "detail": [1]},
            r"event\.detail must be an object; it is a list of 1",
        ),
    ],
)
def test_malformed_event_says_what_is_wrong(function: Function, event: Event, message: str) -> None:
    with pytest.raises(MalformedEvent, match=message):
        function(event)


def test_wrapped_notifications_are_found(function: Function, sample: bytes) -> None:
    function.put("incoming/x", sample)
    assert function(wrapped(3)) == {"results": ["results/x.json"]}
    assert function({"Records": []}) == {"results": []}
    mixed = {"Records": [s3_record("incoming/x"), *sns(s3_event("incoming/x"))["Records"]]}
    assert function(mixed) == {"results": ["results/x.json"]}
    assert function(sns(failed_event(s3_event("incoming/x")))) == {"results": ["results/x.json"]}
