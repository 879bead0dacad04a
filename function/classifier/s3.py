"""S3: a model at start, images too large for a request, and results. The only user of boto3.

It is imported only where an object is asked for.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from classifier.api.multipart import UploadError
from classifier.api.problems import StoreError
from classifier.artifact import ArtifactError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADS: Final = "uploads/"
INCOMING: Final = "incoming/"
RESULTS: Final = "results/"
UPLOAD_SECONDS: Final = 300
"""How long an address for an upload can be used."""

_UPLOAD_KEY: Final = re.compile(rf"{UPLOADS}[0-9a-f]{{32}}")
# To those who may not list the bucket, as this function, S3 says AccessDenied of what is absent.
_ABSENT: Final = {"NoSuchKey", "404", "AccessDenied", "403"}


def object_reader(uri: str) -> Callable[[str], bytes]:
    """A function that fetches the object `name` below `uri` (`s3://bucket/prefix`).

    Credentials, region and endpoint come from the usual AWS settings (`AWS_REGION`,
    `AWS_ENDPOINT_URL_S3`, ...). The function raises `ArtifactError` where S3 refuses.
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


class ImageStore:
    """The bucket that takes images too large for a request, and results of those put there."""

    def __init__(self, bucket: str, *, max_bytes: int) -> None:
        self.bucket = bucket
        self._max_bytes = max_bytes
        # Virtual addressing puts the region into the address of a presigned POST. S3 would redirect
        # from the general one, and a form does not follow.
        self._client: S3Client = boto3.client(
            "s3", config=Config(s3={"addressing_style": "virtual"})
        )

    def offer_upload(self) -> dict[str, Any]:
        """Where and how to POST one image of at most `max_bytes`, once, within minutes."""
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
        return {
            "url": post["url"],
            "fields": post["fields"],
            "key": key,
            "max_bytes": self._max_bytes,
            "expires_in": UPLOAD_SECONDS,
        }

    def fetch_upload(self, key: str) -> bytes:
        """The image that was uploaded under `key`.

        Raises `UploadError`: 403 for a key that no upload was offered under, whether or not an
        object is there; 404, 413. Raises `StoreError`.
        """
        if not _UPLOAD_KEY.fullmatch(key):
            raise UploadError(
                HTTPStatus.FORBIDDEN,
                "Only keys that POST /uploads answered with can be classified.",
            )
        return self.fetch(key)

    def fetch(self, key: str) -> bytes:
        """The object `key`. Raises `UploadError` (404 absent, 413 too large) or `StoreError`."""
        try:
            found = self._client.get_object(Bucket=self.bucket, Key=key)
            if found["ContentLength"] > self._max_bytes:
                raise UploadError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"The object {key} has {found['ContentLength']} bytes; at most "
                    f"{self._max_bytes} are accepted. Make the image smaller.",
                )
            return found["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise UploadError(
                    HTTPStatus.NOT_FOUND,
                    f"There is no object {key}: it was not uploaded, or has expired. "
                    "Ask POST /uploads for a new place.",
                ) from None
            raise StoreError(f"Cannot fetch {key} from {self.bucket}: {error}") from error
        except BotoCoreError as error:
            raise StoreError(f"Cannot fetch {key} from {self.bucket}: {error}") from error

    def put_result(self, incoming_key: str, result: Mapping[str, Any]) -> str:
        """Write the result for the object `incoming_key`; the same one again changes nothing.

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
