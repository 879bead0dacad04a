"""Presigned uploads to S3 and classification by key, over real HTTP."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mypy_boto3_s3 import S3Client

from classifier.api import schemas
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

LIMIT = 60_000
BUCKET = "images"


@pytest.fixture(scope="module")
def bucketed(
    s3_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {"BUCKET": BUCKET, "MAX_BYTES": "30000", "MAX_OBJECT_BYTES": str(LIMIT)}
    with serving(
        tmp_path_factory.mktemp("bucketed") / "log", **settings, **s3_environment
    ) as server:
        yield server


@pytest.fixture
def service(bucketed: Server, bucket: str) -> Server:
    """A service whose bucket is there, and empty."""
    assert bucket == BUCKET
    return bucketed


def upload(offer: dict[str, Any], content: bytes, content_type: str) -> httpx.Response:
    """What any HTML form or HTTP client would do."""
    fields = {**offer["fields"], "Content-Type": content_type}
    return httpx.post(offer["url"], data=fields, files={"file": content}, timeout=HANG_SECONDS)


def offer_of(service: Server) -> dict[str, Any]:
    offer: dict[str, Any] = service.client.post("/uploads").json()
    return offer


def classify(service: Server, key: str) -> httpx.Response:
    """Have the service classify the object `key`."""
    return service.client.post("/", json={"key": key})


def test_an_image_too_large_for_a_request(service: Server, sample: bytes) -> None:
    refused = service.client.post("/", files={"file": sample})
    assert refused.status_code == 413
    assert "POST /uploads takes larger images" in refused.json()["detail"]

    offer = offer_of(service)
    schemas.Upload.model_validate(offer)
    assert upload(offer, sample, "image/jpeg").status_code == 204
    answer = classify(service, offer["key"])
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == SAMPLE_LABEL


@pytest.mark.parametrize(
    ("content_type", "size", "code"),
    [
        ("text/html", 1000, "AccessDenied"),
        ("image/jpeg", LIMIT + 1, "EntityTooLarge"),
        ("image/jpeg", 0, "EntityTooSmall"),
    ],
)
def test_what_the_offer_does_not_allow(
    service: Server, content_type: str, size: int, code: str
) -> None:
    offer = offer_of(service)
    refused = upload(offer, bytes(size), content_type)
    assert refused.status_code == 403
    assert code in refused.text


def test_an_offer_is_for_its_key_alone(service: Server, sample: bytes) -> None:
    offer = offer_of(service)
    offer["fields"]["key"] = "results/forged.json"
    assert upload(offer, sample, "image/jpeg").status_code == 403


def test_keys_that_were_never_offered_tell_nothing(
    service: Server, s3: S3Client, bucket: str
) -> None:
    """The answer is the same whether an object is there or not."""
    s3.put_object(Bucket=bucket, Key="incoming/secret.jpg", Body=b"secret")
    keys = [
        "incoming/secret.jpg",
        "incoming/none.jpg",
        "uploads/../incoming/secret.jpg",
        "uploads/",
    ]
    refused = [classify(service, key) for key in keys]
    assert {answer.status_code for answer in refused} == {403}
    assert len({answer.text for answer in refused}) == 1


def test_nothing_under_the_key(service: Server) -> None:
    gone = classify(service, f"uploads/{uuid.uuid4().hex}")
    assert gone.status_code == 404
    assert "POST /uploads returns a new key" in gone.json()["detail"]


def test_an_object_that_is_too_large(service: Server, s3: S3Client, bucket: str) -> None:
    key = f"uploads/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(LIMIT + 1))
    assert classify(service, key).status_code == 413


def test_an_object_that_is_no_image(service: Server, s3: S3Client, bucket: str) -> None:
    key = f"uploads/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
    assert classify(service, key).status_code == 415


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"key": 1}', "not json"])
def test_json_without_a_key(service: Server, body: str) -> None:
    headers = {"content-type": "application/json"}
    assert service.client.post("/", content=body, headers=headers).status_code == 422


def test_a_bucket_that_is_missing(bucketed: Server, s3: S3Client) -> None:
    assert s3.list_buckets()["Buckets"] == []
    answer = classify(bucketed, f"uploads/{uuid.uuid4().hex}")
    assert answer.status_code == 502
    assert BUCKET not in answer.text
    assert bucketed.client.get("/healthz").status_code == 200
    wait_until(lambda: "NoSuchBucket" in bucketed.log.read_text(), "a line for the operator")


def test_without_a_bucket_there_are_no_uploads(client: httpx.Client) -> None:
    answer = client.post("/uploads")
    assert answer.status_code == 404
    assert "BUCKET is not set" in answer.json()["detail"]
