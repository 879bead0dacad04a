"""S3 notifications: each object below `incoming/` is classified, its result goes to `results/`."""

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from classifier.classifier import Classifier
from classifier.errors import ImageError, StoreError, UploadError
from classifier.outcome import DEFAULT_TOP_K, result_json
from classifier.settings import Settings

if TYPE_CHECKING:
    from classifier.s3 import ImageStore

Event = dict[str, Any]

_log = logging.getLogger(__name__)


def is_s3_event(event: object) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and bool(records) and all(map(_is_created, records))


def _is_created(record: object) -> bool:
    match record:
        case {
            "eventSource": "aws:s3",
            "eventName": str(name),
            "s3": {"bucket": {"name": str()}, "object": {"key": str()}},
        }:
            return name.startswith("ObjectCreated:")
    return False


def classify_objects(event: Event, classifier: Classifier, settings: Settings) -> dict[str, Any]:
    """Classify each object and write its result.

    The error of an image is its result: a retry would not help. Errors of the bucket are raised
    after the last object, as `StoreError`, so that Lambda retries the event and then sends it to
    the function's on-failure destination.
    """
    from classifier.s3 import INCOMING, ImageStore  # boto3: only where it is needed

    max_bytes = min(settings.max_object_bytes, classifier.memory.bodies)
    store = ImageStore(settings.bucket, max_bytes=max_bytes)
    written, failures = [], []
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        if bucket != settings.bucket or not key.startswith(INCOMING):
            place = f"s3://{settings.bucket}/{INCOMING}"
            _log.warning("Skipped: s3://%s/%s is not in %s", bucket, key, place)
            continue
        try:
            written.append(store.put_result(key, _result(store, key, classifier)))
        except StoreError as error:
            _log.error("%s", error)
            failures.append(error)
    if failures:
        raise StoreError(
            f"{len(failures)} of {len(event['Records'])} objects failed: {failures[0]}"
        )
    return {"results": written}


def _result(store: "ImageStore", key: str, classifier: Classifier) -> dict[str, Any]:
    model = classifier.model.card.name
    try:
        image = store.find(key).read()
        return {"key": key, **result_json(classifier.classify(image, DEFAULT_TOP_K), model)}
    except (ImageError, UploadError) as error:
        return {"key": key, **result_json(error, model)}
