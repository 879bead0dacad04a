"""Direct invocations with `{"key": ...}` -> the response of `POST /` for the photo in S3."""

from typing import Any, Final

from classifier.api.classify import parse_top_k
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import bucket_at, key_at
from classifier.aws_lambda.photos import Photo, Photos, Skipped
from classifier.errors import InvalidKey, KeyNotOffered, ServiceError
from classifier.outcome import DEFAULT_TOP_K, Outcome
from classifier.settings import Settings

Event = dict[str, Any]

_SHOWN: Final = 40
"""Characters of an invalid value"""

_SERVER_ERRORS: Final = 500


def classify_key(event: Event, photos: Photos, settings: Settings) -> dict[str, Any]:
    """The response for a photo in the function's bucket or, with `bucket`, in another. Raises
    `StoreError`."""
    try:
        return photos.response(_classified(event, photos, settings))
    except ServiceError as problem:
        if problem.status >= _SERVER_ERRORS:
            raise
        return problem.problem()


def _classified(event: Event, photos: Photos, settings: Settings) -> Outcome:
    """Raises `UploadError`, `InvalidParameter` and `StoreError`."""
    top_k = event.get("top_k")
    if isinstance(top_k, float) and top_k.is_integer():
        top_k = int(top_k)
    count = DEFAULT_TOP_K if top_k is None else parse_top_k(repr(top_k)[:_SHOWN])
    try:
        key = key_at(event, "event", "key", encoded=False)
        bucket = bucket_at(event, "event", "bucket") if "bucket" in event else settings.bucket
        if not bucket:
            raise InvalidKey("Name the bucket of the key: 'bucket'. BUCKET is not set.")
        return photos.classify(Photo(bucket, key), count)
    except MalformedEvent as error:
        raise InvalidKey(str(error)) from None
    except Skipped as reason:
        raise KeyNotOffered(f"This cannot be classified: {reason}.") from None
