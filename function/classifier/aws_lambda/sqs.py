"""Messages of SQS with notifications of S3. Only those that may succeed later are tried again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from classifier.aws_lambda.deadline import Deadline
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import json_at, text_at, value_at
from classifier.aws_lambda.notifications import photos_of, write_result
from classifier.aws_lambda.photos import Photo, Photos

_THREADS: Final = 4
"""A photo of a phone takes about 15 ms of CPU, and waits for S3 for 50 to 100."""


def write_batch(event: object, photos: Photos, context: Any) -> dict[str, Any]:
    """Write the result of each photo, and answer with the messages that failed for a temporary
    reason (AWS Lambda Developer Guide, "Handling errors for an SQS event source").

    A message that is no notification is dropped with a line in the log. Raises `MalformedEvent` if
    the event does not name its messages.
    """
    records = value_at(event, "event", "Records")
    messages = [
        (text_at(record, path, "messageId"), _group(record), record, path)
        for path, record in ((f"event.Records[{n}]", record) for n, record in enumerate(records))
    ]
    batch = _Batch(photos, Deadline(context))
    named = [batch.named(record, path) for _, _, record, path in messages]
    if not any(group for _, group, _, _ in messages):
        batch.write_all(named)
    failed: dict[str, None] = {}
    failed_groups: set[str] = set()
    for (identifier, group, _, _), of_message in zip(messages, named, strict=True):
        if group in failed_groups or not batch.written(of_message):
            failed[identifier] = None
            if group:
                failed_groups.add(group)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _group(record: dict[str, Any]) -> str:
    """The group of a message whose order matters: only in FIFO queues. Their messages must not
    overtake one of the same group that failed."""
    attributes = record.get("attributes")
    if not str(record.get("eventSourceARN")).endswith(".fifo") or not isinstance(attributes, dict):
        return ""
    return str(attributes.get("MessageGroupId", ""))


class _Batch:
    """The photos of one batch. Each is classified once, also if several messages name it: all of
    them were sent before."""

    def __init__(self, photos: Photos, deadline: Deadline) -> None:
        self._photos = photos
        self._deadline = deadline
        self._succeeded: dict[tuple[str, str], bool] = {}

    def named(self, message: object, path: str) -> list[Photo]:
        """The photos of a message; none of one that would fail each time."""
        try:
            return photos_of(json_at(message, path, "body"), f"{path}.body")
        except MalformedEvent as error:
            self._photos.dropped(error)
            return []

    def write_all(self, named: list[list[Photo]]) -> None:
        """Write the results of all photos. While one is classified, others wait for S3, which takes
        several times as long."""
        photos = {_place(photo): photo for of_message in named for photo in of_message}
        if len(photos) > 1:
            with ThreadPoolExecutor(_THREADS) as threads:
                for _ in threads.map(self._write, photos.values()):
                    pass

    def written(self, named: list[Photo]) -> bool:
        """Whether all photos of a message are done."""
        for photo in named:
            if _place(photo) not in self._succeeded:
                self._write(photo)
        return all(self._succeeded[_place(photo)] for photo in named)

    def _write(self, photo: Photo) -> None:
        try:
            write_result(photo, self._photos, self._deadline)
            self._succeeded[_place(photo)] = True
        except Exception as error:  # the other photos are classified nevertheless
            self._photos.failed(photo, error)
            self._succeeded[_place(photo)] = False


def _place(photo: Photo) -> tuple[str, str]:
    return photo.bucket, photo.key
