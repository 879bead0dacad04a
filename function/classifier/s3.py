"""S3: model files, images too large for a request, and results. The only user of boto3, imported
only where it is needed."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from classifier.artifact import ArtifactError
from classifier.errors import KeyNotOffered, ObjectNotFound, ObjectTooLarge, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADS: Final = "uploads/"
INCOMING: Final = "incoming/"
RESULTS: Final = "results/"
UPLOAD_SECONDS: Final = 300
"""Lifetime of a presigned upload"""

_UPLOAD_KEY: Final = re.compile(rf"{UPLOADS}[0-9a-f]{{32}}")
# Without permission to list the bucket, S3 answers AccessDenied for an absent object.
_ABSENT: Final = {"NoSuchKey", "404", "AccessDenied", "403"}


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
        except (BotoCoreError, ClientError) as error:
            raise ArtifactError(f"Cannot fetch s3://{bucket}/{folder}{name}: {error}") from None

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
    """An object of `size` bytes that waits to be read. `read` raises `StoreError`."""

    size: int
    read: Callable[[], bytes]


class ImageStore:
    """The bucket for images too large for a request, and for results."""

    def __init__(self, bucket: str, *, max_bytes: int) -> None:
        self.bucket = bucket
        self._max_bytes = max_bytes
        # Virtual addressing puts the region into the URL of a presigned POST. S3 redirects from the
        # global URL, which a form does not follow.
        self._client: S3Client = boto3.client(
            "s3", config=Config(s3={"addressing_style": "virtual"})
        )

    def offer_upload(self) -> UploadOffer:
        """A presigned POST for one image of at most `max_bytes`, valid for `UPLOAD_SECONDS`."""
        key = f"{UPLOADS}{uuid.uuid4().hex}"
        post = self._client.generate_presigned_post(
            self.bucket,
            key,
            Conditions=[
                ["content-length-range", 1, self._max_bytes],
                ["starts-with", "$Content-Type", "image/"],
            ],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return UploadOffer(post["url"], post["fields"], key, self._max_bytes, UPLOAD_SECONDS)

    def find_upload(self, key: str) -> StoredImage:
        """The image that was uploaded under `key`.

        Raises `KeyNotOffered` for a key that `offer_upload` does not make, whether or not an object
        exists, and like `find`.
        """
        if not _UPLOAD_KEY.fullmatch(key):
            raise KeyNotOffered("Only keys that POST /uploads returned can be classified.")
        return self.find(key)

    def find(self, key: str) -> StoredImage:
        """The object `key`, not yet read. Raises `ObjectNotFound`, `ObjectTooLarge` or
        `StoreError`."""
        try:
            found = self._client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise ObjectNotFound(
                    f"There is no object {key}: it was not uploaded, or has expired. "
                    "POST /uploads returns a new key."
                ) from None
            raise self._fetch_error(key, error) from error
        except BotoCoreError as error:
            raise self._fetch_error(key, error) from error
        if found["ContentLength"] > self._max_bytes:
            raise ObjectTooLarge(
                f"The object {key} has {found['ContentLength']} bytes; at most "
                f"{self._max_bytes} are accepted. Make the image smaller."
            )

        def read() -> bytes:
            try:
                return found["Body"].read()
            except BotoCoreError as error:
                raise self._fetch_error(key, error) from error

        return StoredImage(found["ContentLength"], read)

    def _fetch_error(self, key: str, error: Exception) -> StoreError:
        return StoreError(f"Cannot fetch {key} from {self.bucket}: {error}")

    def put_result(self, incoming_key: str, result: Mapping[str, Any]) -> str:
        """Write the result for the object `incoming_key`; writing it again changes nothing.

        Returns the key of the result. Raises `StoreError`.
        """
        key = f"{RESULTS}{incoming_key.removeprefix(INCOMING)}.json"
        body = json.dumps(result, ensure_ascii=False).encode()
        try:
            self._client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType="application/json"
            )
        except (BotoCoreError, ClientError) as error:
            raise StoreError(f"Cannot write {key} to {self.bucket}: {error}") from error
        return key
