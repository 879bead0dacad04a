"""Notifications of S3, also through EventBridge, SNS and SQS: each new photo gets a result."""

import logging
from collections.abc import Iterator
from typing import Any, Final

from classifier.aws_lambda.deadline import Deadline
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import bucket_at, json_at, key_at, text_at, value_at
from classifier.aws_lambda.photos import Photo, Photos, Skipped
from classifier.errors import StoreError

_MAX_WRAPPINGS: Final = 4
"""SQS around SNS around a notification are two; a failed event of Lambda is one more."""

_CREATED: Final = "ObjectCreated:"

_log = logging.getLogger(__name__)


def write_results(event: object, photos: Photos, context: Any) -> dict[str, Any]:
    """Classify each photo that `event` names, and write its result.

    The error of a photo is its result: a retry would not help. Other errors are raised after the
    last photo, as `StoreError`, so that Lambda tries the event again and then sends it to the
    function's on-failure destination. Raises `MalformedEvent`.
    """
    named = photos_of(event)
    deadline = Deadline(context)
    written: list[str] = []
    failures: list[Exception] = []
    for photo in named:
        try:
            written += write_result(photo, photos, deadline)
        except Exception as error:  # the other photos are still classified
            photos.failed(photo, error)
            failures.append(error)
    if failures:
        raise StoreError(f"{len(failures)} of {len(named)} objects failed: {failures[0]}")
    return {"results": written}


def write_result(photo: Photo, photos: Photos, deadline: Deadline) -> list[str]:
    """The key of the result; none of a photo that is skipped. Raises `OutOfTime`, `StoreError`."""
    try:
        photos.check_new(photo)
        with deadline.photo():
            return [photos.write_result(photo)[0]]
    except Skipped as reason:
        _log.warning("Skipped: %s", reason)
        return []


def photos_of(event: object, path: str = "event") -> list[Photo]:
    """The new objects of a notification, each once, however it is wrapped. Raises
    `MalformedEvent`."""
    return list(dict.fromkeys(_unwrapped(event, path, 0)))


def _unwrapped(event: object, path: str, wrappings: int) -> Iterator[Photo]:
    if wrappings > _MAX_WRAPPINGS:
        raise MalformedEvent(f"{path} is wrapped more than {_MAX_WRAPPINGS} times.")
    match event:
        case {"Records": list(records)}:
            for number, record in enumerate(records):
                yield from _of_record(record, f"{path}.Records[{number}]", wrappings)
        case {"source": "aws.s3"}:
            yield from _of_event_bridge(event, path)
        case {"Event": "s3:TestEvent"}:
            _log.warning("Skipped: s3:TestEvent, which S3 sends when notifications are set up")
        case {"Type": "Notification", "Message": _}:
            inner = json_at(event, path, "Message")
            yield from _unwrapped(inner, f"{path}.Message", wrappings + 1)
        case {"requestPayload": inner, "requestContext": _}:  # of an on-failure destination
            yield from _unwrapped(inner, f"{path}.requestPayload", wrappings + 1)
        case _:
            raise MalformedEvent.at(path, "a notification of S3", event)


def _of_record(record: object, path: str, wrappings: int) -> Iterator[Photo]:
    match record:
        case {"eventSource": "aws:s3"}:
            name = text_at(record, path, "eventName")
            if name.startswith(_CREATED):
                yield _photo(value_at(record, path, "s3"), f"{path}.s3", encoded=True)
            else:
                _log.warning("Skipped: %s makes no new photo", name[:80])
        case {"EventSource": "aws:sns"}:
            inner = json_at(record, path, "Sns", "Message")
            yield from _unwrapped(inner, f"{path}.Sns.Message", wrappings + 1)
        case _:
            raise MalformedEvent.at(path, "a record of S3 or SNS", record)


def _of_event_bridge(event: object, path: str) -> Iterator[Photo]:
    name = text_at(event, path, "detail-type")
    if name == "Object Created":
        yield _photo(value_at(event, path, "detail"), f"{path}.detail", encoded=False)
    else:
        _log.warning("Skipped: %s makes no new photo", name[:80])


def _photo(value: object, path: str, *, encoded: bool) -> Photo:
    """Without its version: the result is that of the newest."""
    bucket = bucket_at(value, path, "bucket", "name")
    key = key_at(value, path, "object", "key", encoded=encoded)
    size = value_at(value, path, "object").get("size")
    return Photo(bucket, key, size=size if isinstance(size, int) else None)
