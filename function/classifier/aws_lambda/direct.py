"""Direct invocations: `{"image": "<base64>"}` or `{"key": ...}` -> what `POST /` answers."""

import json
from collections.abc import Callable
from typing import Any, Final

from classifier.api.classify import parse_top_k
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import key_at, text_at
from classifier.aws_lambda.photos import Photo, Photos, Skipped
from classifier.errors import InvalidKey, KeyNotOffered, ServiceError
from classifier.outcome import DEFAULT_TOP_K, Outcome
from classifier.s3 import INCOMING, UPLOADS
from classifier.settings import Settings

Event = dict[str, Any]

_SHOWN: Final = 40
"""Characters of an invalid value"""

_SERVER_ERRORS: Final = 500


class InvocationFailed(RuntimeError):
    """The answer of the HTTP API to the same request is an error of the service."""


def classify_images(
    event: Event, handle_http: Callable[[Event, Any], dict[str, Any]], settings: Settings
) -> Any:
    """The answer to images in base64: as over HTTP, and through the same code.

    Problems are answers. Errors of the service are raised as `InvocationFailed`, so that Lambda
    tries asynchronous invocations again.
    """
    headers = {"content-type": "application/json"}
    if settings.api_key:  # the caller's permission to invoke the function is enough
        headers["authorization"] = f"Bearer {settings.api_key}"
    request = {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": ""}
        },
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }
    response = handle_http(request, None)
    answer = json.loads(response["body"])
    if response["statusCode"] >= _SERVER_ERRORS:
        raise InvocationFailed(answer["detail"])
    return answer


def classify_key(event: Event, photos: Photos, settings: Settings) -> dict[str, Any]:
    """The answer for a photo in the function's bucket or, with `bucket`, in that of photos. Raises
    `StoreError`."""
    try:
        return photos.answer(_classified(event, photos, settings))
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
        bucket = text_at(event, "event", "bucket") if "bucket" in event else settings.bucket
        photo = Photo(bucket, key)
        photos.check(photo, INCOMING, UPLOADS)
        return photos.classify(photo, count)
    except MalformedEvent as error:
        raise InvalidKey(str(error)) from None
    except Skipped as reason:
        raise KeyNotOffered(f"This cannot be classified: {reason}.") from None
