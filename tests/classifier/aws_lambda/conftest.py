"""Fixtures of the Lambda handler's tests."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from mypy_boto3_s3 import S3Client
from urllib3 import HTTPResponse

from classifier import s3 as s3_module
from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.images import UNLIMITED, MemoryBudget
from classifier.model import Model, load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.classifier.aws_lambda.events import BUCKET, OTHER
from tests.support.event_loop import current_event_loop
from tests.support.wait import HANG_SECONDS

LIMIT = 60_000
"""The most bytes of an object"""


@pytest.fixture(autouse=True)
def event_loop_for_mangum() -> Iterator[None]:
    """For one test: make handlers in tests, or in fixtures for one test each."""
    with current_event_loop():
        yield


@dataclass
class Context:
    """Lambda's: `left` has the milliseconds that remain, for each question."""

    left: list[int]
    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        return self.left.pop(0)


class CountedErrors(Metrics):
    """Counts errors by kind, and the images that were classified."""

    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()
        self.images = 0

    def observe_image(self, *_: Any) -> None:
        self.images += 1

    def count_error(self, kind: str) -> None:
        self.errors[kind] += 1


class Function:
    """The function with its two buckets."""

    def __init__(
        self, model: Model, s3: S3Client, *, memory: MemoryBudget = UNLIMITED, **settings: Any
    ) -> None:
        self.s3 = s3
        self.metrics = CountedErrors()
        classifier = Classifier(model, self.metrics, max_pixels=64_000_000, memory=memory)
        chosen = {"bucket": BUCKET, "photo_bucket": OTHER, "max_object_bytes": LIMIT, **settings}
        self.service = Service(classifier, Settings(access_log=False, threads=1, **chosen))
        self._handler = create_handler(create_lambda_app(self.service), self.service)

    def __call__(self, event: Any, *left: int) -> Any:
        """`left`: milliseconds that remain before each photo but the first."""
        return self._handler(event, Context(list(left)) if left else None)

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> str:
        """Store an object; its version is returned, if the bucket has versions."""
        return self.s3.put_object(Bucket=bucket, Key=key, Body=content).get("VersionId", "")

    def result(self, key: str) -> dict[str, Any]:
        """The result with this key in S3."""
        body = self.s3.get_object(Bucket=BUCKET, Key=f"results/{key}.json")["Body"].read()
        return cast("dict[str, Any]", json.loads(body))

    def results(self) -> list[str]:
        """The keys of all results."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="results/")
        return [each["Key"] for each in found.get("Contents", [])]

    def on_request(self, operation: str, react: Callable[[str], str | None]) -> None:
        """Before the function sends a request `operation` (GetObject, ...) to S3, `react` gets its
        path; if it returns the code of an error, that is the response."""

        def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
            code = react(request.url)
            return error_response(request, code) if code else None

        events = self.service.store._client.meta.events
        events.register(f"before-send.s3.{operation}", cast("Callable[..., None]", respond))


STATUSES = {
    "SlowDown": 503,
    "InternalError": 500,
    "RequestTimeout": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "InvalidRequest": 400,
    "InvalidArgument": 400,
}
"""Of errors of S3; 403 for others"""

KMS_MESSAGE = (
    "User: arn:aws:sts::111122223333:assumed-role/r/f is not authorized to perform: kms:Decrypt on "
    "the resource associated with this ciphertext"
)


def error_response(request: AWSPreparedRequest, code: str) -> AWSResponse:
    """An error as S3 words it. The code `kms` is that of a key that may not be used."""
    code, message = ("AccessDenied", KMS_MESSAGE) if code == "kms" else (code, "As S3 says.")
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    raw = HTTPResponse(BytesIO(text.encode()), preload_content=False)
    return AWSResponse(request.url, STATUSES.get(code, 403), cast("Any", {}), raw)


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model(str(SHIPPED_MODEL))


@pytest.fixture
def other_bucket(s3: S3Client) -> Iterator[str]:
    """A bucket of photos, with versions."""
    place: Any = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=OTHER, CreateBucketConfiguration=place)
    s3.put_bucket_versioning(Bucket=OTHER, VersioningConfiguration={"Status": "Enabled"})
    yield OTHER
    found = s3.list_object_versions(Bucket=OTHER)
    for each in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=OTHER, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=OTHER)


@pytest.fixture
def function(
    model: Model, s3: S3Client, bucket: str, other_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Function:
    """The function does not retry when S3 fails. It waits for an S3 server in this process for as
    long as that takes on a busy machine."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("_CONNECT_SECONDS", "_READ_SECONDS"):
        monkeypatch.setattr(s3_module, name, HANG_SECONDS)
    return Function(model, s3)
