"""Presigned uploads to S3 and classification by key, over real HTTP."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mypy_boto3_s3 import S3Client

from classifier.api import schemas
from tests.support.aws_profile import UNREADABLE, profile_environment
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

LIMIT = 60_000
BUCKET = "images"


@pytest.fixture(scope="module")
def with_bucket(
    s3_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {"BUCKET": BUCKET, "MAX_BYTES": "30000", "MAX_OBJECT_BYTES": str(LIMIT)}
    with serving(
        tmp_path_factory.mktemp("with_bucket") / "log", **settings, **s3_environment
    ) as server:
        yield server


@pytest.fixture
def service(with_bucket: Server, bucket: str) -> Server:
    """A service with an empty bucket."""
    assert bucket == BUCKET
    return with_bucket


def upload(offer: dict[str, Any], content: bytes, content_type: str) -> httpx.Response:
    """POST the form to S3, as an HTML form or an HTTP client does."""
    fields = {**offer["fields"], "Content-Type": content_type}
    return httpx.post(offer["url"], data=fields, files={"file": content}, timeout=HANG_SECONDS)


def offer_of(service: Server) -> dict[str, Any]:
    offer: dict[str, Any] = service.client.post("/uploads").json()
    return offer


def classify(service: Server, key: str) -> httpx.Response:
    """Send the request to classify the object `key`."""
    return service.client.post("/", json={"key": key})


def test_image_too_large_for_a_request_goes_through_s3(service: Server, sample: bytes) -> None:
    refused = service.client.post("/", files={"file": sample})
    assert refused.status_code == 413
    assert "POST /uploads takes larger images" in refused.json()["detail"]

    offer = offer_of(service)
    schemas.Upload.model_validate(offer)
    assert upload(offer, sample, "image/jpeg").status_code == 204
    response = classify(service, offer["key"])
    assert response.status_code == 200
    assert response.json()["predictions"][0]["label"] == SAMPLE_LABEL


@pytest.mark.parametrize(
    ("content_type", "size", "code"),
    [
        ("text/html", 1000, "AccessDenied"),
        ("image/jpeg", LIMIT + 1, "EntityTooLarge"),
        ("image/jpeg", 0, "EntityTooSmall"),
    ],
)
def test_presigned_policy_refuses_other_types_and_sizes(
    service: Server, content_type: str, size: int, code: str
) -> None:
    offer = offer_of(service)
    refused = upload(offer, bytes(size), content_type)
    assert refused.status_code == 403
    assert code in refused.text


def test_presigned_upload_accepts_only_its_key(service: Server, sample: bytes) -> None:
    offer = offer_of(service)
    offer["fields"]["key"] = "results/forged.json"
    assert upload(offer, sample, "image/jpeg").status_code == 403


def test_key_that_was_not_offered_gets_403(service: Server, s3: S3Client, bucket: str) -> None:
    """The response is the same whether or not an object has the key."""
    s3.put_object(Bucket=bucket, Key="incoming/secret.jpg", Body=b"secret")
    keys = [
        "incoming/secret.jpg",
        "incoming/none.jpg",
        "uploads/../incoming/secret.jpg",
        "uploads/",
    ]
    refused = [classify(service, key) for key in keys]
    assert {response.status_code for response in refused} == {403}
    assert len({response.text for response in refused}) == 1


def test_missing_object_gets_404(service: Server) -> None:
    gone = classify(service, f"uploads/{uuid.uuid4().hex}")
    assert gone.status_code == 404
    assert "POST /uploads returns a new key" in gone.json()["detail"]


def test_too_large_object_gets_413(service: Server, s3: S3Client, bucket: str) -> None:
    key = f"uploads/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(LIMIT + 1))
    assert classify(service, key).status_code == 413


def test_object_that_is_not_an_image_gets_415(service: Server, s3: S3Client, bucket: str) -> None:
    key = f"uploads/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
    assert classify(service, key).status_code == 415


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"key": 1}'])
def test_json_without_a_key_gets_422(service: Server, body: str) -> None:
    headers = {"content-type": "application/json"}
    assert service.client.post("/", content=body, headers=headers).status_code == 422


def test_missing_bucket_gets_502(with_bucket: Server, s3: S3Client) -> None:
    assert s3.list_buckets()["Buckets"] == []
    response = classify(with_bucket, f"uploads/{uuid.uuid4().hex}")
    assert response.status_code == 502
    assert BUCKET not in response.text
    assert with_bucket.client.get("/healthz").status_code == 200
    wait_until(lambda: "NoSuchBucket" in with_bucket.log.read_text(), "the error in the log")


@pytest.mark.parametrize("profile", ["", UNREADABLE[0][0], UNREADABLE[2][0]])
def test_no_usable_credentials_get_502(profile: str, tmp_path: Path) -> None:
    environment = profile_environment(tmp_path, profile)
    with serving(tmp_path / "log", BUCKET=BUCKET, **environment) as server:
        offered = server.client.post("/uploads")
        classified = classify(server, f"uploads/{uuid.uuid4().hex}")
        assert (offered.status_code, classified.status_code) == (502, 502)
        assert "Traceback" not in server.log.read_text()


def test_uploads_without_a_bucket_get_404(client: httpx.Client) -> None:
    response = client.post("/uploads")
    assert response.status_code == 404
    assert "BUCKET is not set" in response.json()["detail"]
