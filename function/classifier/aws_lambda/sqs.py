"""Messages of SQS with notifications of S3. Only those that may succeed later are tried again."""

import logging
from typing import Any

from classifier.aws_lambda.deadline import Deadline
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import json_at, text_at, value_at
from classifier.aws_lambda.notifications import photos_of, write_result
from classifier.aws_lambda.photos import Photo, Photos

_log = logging.getLogger(__name__)


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
    failed: dict[str, None] = {}
    failed_groups: set[str] = set()
    for identifier, group, message, path in messages:
        if group in failed_groups or not batch.done(message, path):
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

    def done(self, message: object, path: str) -> bool:
        """Whether the message is not needed any more."""
        try:
            named = photos_of(json_at(message, path, "body"), f"{path}.body")
        except MalformedEvent as error:
            self._photos.dropped(error)
            return True
        failed = [photo for photo in named if not self._written(photo)]
        return not failed

    def _written(self, photo: Photo) -> bool:
        place = photo.bucket, photo.key
        if place not in self._succeeded:
            try:
                write_result(photo, self._photos, self._deadline)
                self._succeeded[place] = True
            except Exception as error:  # the other photos are classified nevertheless
                self._photos.failed(photo, error)
                self._succeeded[place] = False
        return self._succeeded[place]
