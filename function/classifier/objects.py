"""S3: the one module that uses boto3. It is imported only where an object is asked for."""

from collections.abc import Callable

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from classifier.artifact import ArtifactError


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
            body = boto3.client("s3").get_object(Bucket=bucket, Key=folder + name)["Body"]
            return bytes(body.read())
        except (BotoCoreError, ClientError) as error:
            raise ArtifactError(f"Cannot fetch s3://{bucket}/{folder}{name}: {error}") from None

    return read
