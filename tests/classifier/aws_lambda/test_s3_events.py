"""S3 events: each new object under incoming/ gets a result under results/."""

import json
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from classifier.api.service import Service
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.errors import StoreError
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.support.pictures import SAMPLE_LABEL

LIMIT = 60_000


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    model = load_model(str(SHIPPED_MODEL))
    return Classifier(model, Metrics(), max_pixels=64_000_000)


def created(*keys: str, bucket: str = "images") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
            }
            for key in keys
        ]
    }


@pytest.fixture
def handle(classifier: Classifier, bucket: str) -> Any:
    settings = Settings(bucket=bucket, max_object_bytes=LIMIT)
    handler = create_handler(None, Service(classifier, settings))  # type: ignore[arg-type]
    return lambda event: handler(event, None)


def result(s3: S3Client, bucket: str, key: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return parsed


def test_incoming_image_gets_a_result(
    handle: Any, s3: S3Client, bucket: str, sample: bytes
) -> None:
    """Given a key that is encoded in the event: spaces as +, other characters percent-encoded."""
    s3.put_object(Bucket=bucket, Key="incoming/my cät.jpg", Body=sample)
    assert handle(created("incoming/my+c%C3%A4t.jpg")) == {"results": ["results/my cät.jpg.json"]}
    first = result(s3, bucket, "results/my cät.jpg.json")
    assert first["predictions"][0]["label"] == SAMPLE_LABEL
    assert first["key"] == "incoming/my cät.jpg"


def test_repeated_event_writes_the_same_result(
    handle: Any, s3: S3Client, bucket: str, sample: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key="incoming/cat.jpg", Body=sample)
    results = []
    for _ in range(2):
        handle(created("incoming/cat.jpg"))
        results.append(result(s3, bucket, "results/cat.jpg.json"))
    assert results[0] == results[1]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2


@pytest.mark.parametrize(
    ("content", "status"), [(b"no image", 415), (b"", 422), (bytes(LIMIT + 1), 413), (None, 404)]
)
def test_unclassifiable_object_gets_an_error_result(
    handle: Any, s3: S3Client, bucket: str, content: bytes | None, status: int
) -> None:
    if content is not None:
        s3.put_object(Bucket=bucket, Key="incoming/bad", Body=content)
    assert handle(created("incoming/bad")) == {"results": ["results/bad.json"]}
    assert result(s3, bucket, "results/bad.json")["status"] == status


def test_other_prefixes_and_buckets_are_ignored(handle: Any, s3: S3Client, bucket: str) -> None:
    """Classifying results would make the function trigger itself."""
    s3.put_object(Bucket=bucket, Key="results/cat.jpg.json", Body=b"{}")
    assert handle(created("results/cat.jpg.json", "uploads/x")) == {"results": []}
    assert handle(created("incoming/cat.jpg", bucket="another")) == {"results": []}
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_missing_bucket_fails_the_invocation(classifier: Classifier, s3: S3Client) -> None:
    settings = Settings(bucket="no-such-bucket")
    handler = create_handler(None, Service(classifier, settings))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="2 of 2 objects failed"):
        handler(created("incoming/a", "incoming/b", bucket="no-such-bucket"), None)
