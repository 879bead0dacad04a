"""Messages of SQS with notifications of S3. Only those that failed are tried again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from classifier.aws_lambda.deadline import Deadline
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import json_at, text_at, value_at
from classifier.aws_lambda.notifications import photos_of, write_result
from classifier.aws_lambda.photos import Photo, Photos

_THREADS: Final = 4
"""Photos on their way at once: one waits for S3 several times as long as it is computed."""


class _Message(NamedTuple):
    identifier: str
    group: str
    """Of a FIFO queue, and else empty"""
    photos: list[Photo] | None
    """None if it is no notification"""


def write_batch(event: object, photos: Photos, context: Any) -> dict[str, Any]:
    """Write the result of each photo, and return the messages that failed (AWS Lambda
    Developer Guide, "Handling errors for an SQS event source").

    A message that is no notification fails each time, so that the queue moves it to its dead-letter
    queue. Raises `MalformedEvent` if the event does not name its messages.
    """
    records = value_at(event, "event", "Records")
    messages = [
        _message(record, f"event.Records[{number}]", photos)
        for number, record in enumerate(records)
    ]
    batch = _Batch(photos, Deadline(context))
    if not any(message.group for message in messages):
        batch.write_together([photo for message in messages for photo in message.photos or ()])
    failed: dict[str, None] = {}
    failed_groups: set[str] = set()
    for message in messages:
        if (
            message.group in failed_groups
            or message.photos is None
            or not batch.written(message.photos)
        ):
            failed[message.identifier] = None
            if message.group:
                failed_groups.add(message.group)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _message(record: object, path: str, photos: Photos) -> _Message:
    """Raises `MalformedEvent` if it has no identifier."""
    identifier = text_at(record, path, "messageId")
    named: list[Photo] | None = None
    try:
        named = photos_of(json_at(record, path, "body"), f"{path}.body")
    except MalformedEvent as error:
        photos.malformed(error)
    return _Message(identifier, _group(record), named)


def _group(record: object) -> str:
    """The group of a message whose order matters: only in FIFO queues. Their messages must not
    overtake one of the same group that failed."""
    match record:
        case {"eventSourceARN": str(arn), "attributes": {"MessageGroupId": str(group)}}:
            return group if arn.endswith(".fifo") else ""
    return ""


class _Batch:
    """The photos of one batch. Each is classified once, also if several messages name it: all of
    them were sent before."""

    def __init__(self, photos: Photos, deadline: Deadline) -> None:
        self._photos = photos
        self._deadline = deadline
        self._succeeded: dict[tuple[str, str], bool] = {}

    def write_together(self, named: list[Photo]) -> None:
        """Write the results of all photos. While one is classified, others wait for S3."""
        photos = {_place(photo): photo for photo in named}
        if len(photos) > 1:
            with ThreadPoolExecutor(_THREADS) as threads:
                list(threads.map(self._write, photos.values()))

    def written(self, named: list[Photo]) -> bool:
        """Whether the results of all photos are written; if need be, they are now."""
        for photo in named:
            if _place(photo) not in self._succeeded:
                self._write(photo)
        return all(self._succeeded[_place(photo)] for photo in named)

    def _write(self, photo: Photo) -> None:
        try:
            write_result(photo, self._photos, self._deadline)
            self._succeeded[_place(photo)] = True
        except Exception as error:  # the other photos are still classified
            self._photos.failed(photo, error)
            self._succeeded[_place(photo)] = False


def _place(photo: Photo) -> tuple[str, str]:
    return photo.bucket, photo.key
