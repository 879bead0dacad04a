"""S3: model files, images too large for a request, photos of a bucket, and results. The only user
of boto3, imported only where it is needed."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from classifier.artifact import ArtifactError
from classifier.errors import (
    KeyNotOffered,
    ObjectNotFound,
    ObjectTooLarge,
    ObjectUnreadable,
    ServiceError,
    StoreError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADS: Final = "uploads/"
INCOMING: Final = "incoming/"
RESULTS: Final = "results/"
UPLOAD_SECONDS: Final = 300
"""Lifetime of a presigned upload"""

_UPLOAD_KEY: Final = re.compile(rf"{UPLOADS}[0-9a-f]{{32}}")
# Without permission to list the bucket, S3 returns AccessDenied for an absent object, and
# MethodNotAllowed for a version that is the mark of a deletion.
_ABSENT: Final = {
    "NoSuchKey",
    "NoSuchVersion",
    "404",
    "AccessDenied",
    "403",
    "MethodNotAllowed",
    "405",
    "KeyTooLongError",
}

_UNREADABLE: Final = {
    "InvalidObjectState",  # archived
    "InvalidRequest",  # encrypted with a key of the customer
    "InvalidArgument",  # no version id
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
}
"""Codes of errors that remain for as long as the object exists unchanged"""

_NO_BUCKET: Final = {"NoSuchBucket", "InvalidBucketName"}
_EXISTS: Final = "PreconditionFailed"

MAX_KEY_BYTES: Final = 1024

_FAILURES: Final = (BotoCoreError, ClientError, OSError, EOFError)
"""Of a request. The last two: credentials of a file or program that is missing, and of a profile
that asks for a code."""
_INVALID: Final = (*_FAILURES, ValueError)
"""Of a new client. The last: an invalid setting"""

_CONNECT_SECONDS: Final = 3
_READ_SECONDS: Final = 5
"""S3 responds in far less. Three attempts, botocore's number, fit into an invocation; with its
default, a minute, not even one does."""


def object_reader(uri: str) -> Callable[[str], bytes]:
    """A function that reads the object `name` below `uri` (`s3://bucket/prefix`).

    Credentials, region and endpoint come from the usual AWS settings (`AWS_REGION`,
    `AWS_ENDPOINT_URL_S3`, ...). The function raises `ArtifactError` on any error of S3.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise ArtifactError(f"{uri} names no bucket; write s3://bucket/prefix.")
    folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def read(name: str) -> bytes:
        try:
            return boto3.client("s3").get_object(Bucket=bucket, Key=folder + name)["Body"].read()
        except _INVALID as error:
            raise ArtifactError(
                f"Cannot fetch s3://{bucket}/{folder}{name}: {_reason(error)}"
            ) from None

    return read


@dataclass(frozen=True)
class UploadOffer:
    """POST a form with `fields` and then the file to `url` within `expires_in` seconds."""

    url: str
    fields: Mapping[str, str]
    key: str
    max_bytes: int
    expires_in: int


class StoredImage(NamedTuple):
    """An object of `size` bytes that waits to be read. `read` raises `ObjectTooLarge` and
    `StoreError`. `etag` differs when the object has been replaced by another."""

    size: int
    read: Callable[[], bytes]
    etag: str = ""


class ImageStore:
    """The bucket for images too large for a request, and for results."""

    def __init__(self, bucket: str, *, max_bytes: int) -> None:
        """Raises `StoreError` if the AWS settings or credentials cannot be used."""
        self.bucket = bucket
        self._max_bytes = max_bytes
        try:
            self._client = _new_client()
        except _INVALID as error:
            raise StoreError(f"Cannot use {bucket}: {_reason(error)}") from error

    def offer_upload(self) -> UploadOffer:
        """A presigned POST for one image of at most `max_bytes`, valid for `UPLOAD_SECONDS`. Raises
        `StoreError`."""
        key = f"{UPLOADS}{uuid.uuid4().hex}"
        try:
            post = self._client.generate_presigned_post(
                self.bucket,
                key,
                Conditions=[
                    ["content-length-range", 1, self._max_bytes],
                    ["starts-with", "$Content-Type", "image/"],
                ],
                ExpiresIn=UPLOAD_SECONDS,
            )
        except _FAILURES as error:
            raise StoreError(
                f"Cannot offer an upload to {self.bucket}: {_reason(error)}"
            ) from error
        return UploadOffer(post["url"], post["fields"], key, self._max_bytes, UPLOAD_SECONDS)

    def find_upload(self, key: str) -> StoredImage:
        """The image that was uploaded under `key`.

        Raises `KeyNotOffered` for a key that `offer_upload` does not make, whether or not an object
        exists, and like `find`.
        """
        if not _UPLOAD_KEY.fullmatch(key):
            raise KeyNotOffered("Only keys that POST /uploads returned can be classified.")
        found = self.find(key)
        if found.size > self._max_bytes:
            found.read()  # which refuses it
        return found

    def find(self, key: str, *, bucket: str = "", version: str = "") -> StoredImage:
        """The object `key` of this bucket or another, not yet read; the newest, or that `version`.
        Raises `ObjectNotFound`, `ObjectUnreadable` or `StoreError`."""
        bucket = bucket or self.bucket
        named = {"VersionId": version} if version else {}
        try:
            found = self._client.get_object(Bucket=bucket, Key=key, **named)  # type: ignore[arg-type]
        except _FAILURES as error:
            raise self._refusal(bucket, key, error) from error
        size, body = found["ContentLength"], found["Body"]

        def read() -> bytes:
            if size > self._max_bytes:
                body.close()
                raise ObjectTooLarge(
                    f"The object {key} has {size} bytes; at most {self._max_bytes} are accepted. "
                    "Make the image smaller."
                )
            try:
                return body.read()
            except BotoCoreError as error:
                raise self._refusal(bucket, key, error) from error

        return StoredImage(size, read, found["ETag"])

    def etag(self, bucket: str, key: str) -> str:
        """The ETag of the newest object `key`; empty if there is none. Raises `StoreError`."""
        try:
            return self._client.head_object(Bucket=bucket, Key=key)["ETag"]
        except _FAILURES as error:
            refusal = self._refusal(bucket, key, error)
            encrypted = isinstance(error, ClientError) and error.response["Error"]["Code"] == "400"
            if isinstance(refusal, StoreError) and not encrypted:
                raise refusal from error
            return ""

    def _refusal(self, bucket: str, key: str, error: Exception) -> ServiceError:
        """The error of this service for `error` of boto3: a `StoreError` if a retry may help."""
        about = error.response["Error"] if isinstance(error, ClientError) else {}
        code, reason = about.get("Code", ""), about.get("Message", "")
        if bucket != self.bucket and (
            code in _NO_BUCKET or isinstance(error, ParamValidationError)
        ):
            return ObjectNotFound(f"There is no bucket {bucket}.")
        if code in _UNREADABLE or (code == "AccessDenied" and "kms:" in reason):
            return ObjectUnreadable(f"Cannot read {key} of {bucket}: {code}: {reason}")
        if code not in _ABSENT:
            return StoreError(f"Cannot fetch {key} from {bucket}: {_reason(error)}")
        if key.startswith(UPLOADS) and bucket == self.bucket:
            return ObjectNotFound(
                f"There is no object {key}: it was not uploaded, or has expired. "
                "POST /uploads returns a new key."
            )
        return ObjectNotFound(f"There is no object {key}, or the service may not read it.")

    def put_result(
        self, bucket: str, photo_key: str, result: Mapping[str, Any], *, replace: bool = True
    ) -> str:
        """Write the result for the object `photo_key` of `bucket`; writing it again changes
        nothing. Without `replace`, a result that is there already is kept.

        Returns the key of the result. Raises `StoreError`.
        """
        key = self._result_key(bucket, photo_key)
        body = json.dumps(result, ensure_ascii=False).encode()
        condition: dict[str, Any] = {} if replace else {"IfNoneMatch": "*"}
        try:
            self._client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType="application/json", **condition
            )
        except _FAILURES as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == _EXISTS:
                return key
            raise StoreError(f"Cannot write {key} to {self.bucket}: {_reason(error)}") from error
        return key

    def _result_key(self, bucket: str, photo_key: str) -> str:
        name = (
            photo_key.removeprefix(INCOMING) if bucket == self.bucket else f"{bucket}/{photo_key}"
        )
        key = f"{RESULTS}{name}.json"
        if len(key.encode()) <= MAX_KEY_BYTES:
            return key
        return f"{RESULTS}{hashlib.sha256(name.encode()).hexdigest()}.json"


def _new_client() -> "S3Client":
    session = boto3.Session()
    if session.get_credentials() is None:  # a presigned POST would fail with an AttributeError
        raise NoCredentialsError
    # Virtual addressing puts the region into the URL of a presigned POST. S3 redirects from the
    # global URL, which a form does not follow.
    return session.client(
        "s3",
        config=Config(
            s3={"addressing_style": "virtual"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard"},
        ),
    )


def _reason(error: Exception) -> str:
    """Its message in one line."""
    if isinstance(error, EOFError):
        return "the AWS profile asks for an MFA code; use credentials that need none"
    return " ".join(str(error).split())
