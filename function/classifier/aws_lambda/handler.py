"""The Lambda door: HTTP events go to the app, S3 events are classified, others are refused."""

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_plus

from mangum import Mangum
from mangum.types import ASGI
from starlette.types import ASGIApp, Receive, Scope, Send

from classifier.api.multipart import UploadError
from classifier.api.problems import CONTENT_TYPE as PROBLEM_TYPE
from classifier.api.problems import ProblemResponse, StoreError, problem, problem_of
from classifier.classifier import Classifier
from classifier.images.read import ImageError
from classifier.settings import Settings
from classifier.telemetry.metrics import EmbeddedMetrics

Event = dict[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]

_TEXT: Final = ["text/", "application/json", PROBLEM_TYPE]
"""Content types that travel as text; any other body is base64 in the answer."""

_log = logging.getLogger(__name__)


class UnknownEvent(ValueError):
    """An event that is neither HTTP nor S3."""


def create_handler(app: ASGIApp, classifier: Classifier, settings: Settings) -> Handler:
    """The function that Lambda calls with each event."""
    answer_http = _http_handler(app, settings.base_path)

    def handler(event: Event, context: Any) -> dict[str, Any]:
        if isinstance(classifier.metrics, EmbeddedMetrics):
            classifier.metrics.begin(getattr(context, "aws_request_id", ""))
        if _is_http(event):
            return answer_http(event, context)
        if _is_s3(event):
            return _classify_incoming(event, classifier, settings)
        raise UnknownEvent(
            "This function takes HTTP events (API Gateway, function URL, load balancer) and S3 "
            f"ObjectCreated events. This event is neither: {_outline(event)}"
        )

    return handler


def _is_http(event: object) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return False
    if event.get("version") == "2.0":
        return isinstance(event["requestContext"].get("http"), dict)
    return "httpMethod" in event and "path" in event


def _is_s3(event: object) -> bool:
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


def _outline(event: object) -> str:
    if isinstance(event, dict):
        return f"an object with the keys {sorted(event)[:10]}"
    return f"a {type(event).__name__}"


# HTTP


def _http_handler(app: ASGIApp, base_path: str) -> Handler:
    # lifespan="off": Mangum would run it at every invocation, and the app has none.
    serve = Mangum(_at_base_path(app, base_path), lifespan="off", text_mime_types=_TEXT)

    def answer(event: Event, context: Any) -> dict[str, Any]:
        event = {**event, "headers": event.get("headers") or {}}
        if event.get("isBase64Encoded"):
            # Mangum decodes leniently and fails outside the app; bytes it passes on as they are.
            try:
                body = base64.b64decode(event.get("body") or "", validate=True)
            except (binascii.Error, ValueError, TypeError):
                return _refusal("The body of the event is not valid base64.")
            event |= {"body": body, "isBase64Encoded": False}
        try:
            return serve(event, context)
        except Exception:  # of Mangum, reading the event: what the app raises it has answered
            _log.exception("An HTTP event cannot be read")
            return _refusal("The event cannot be read as an HTTP request.")

    return answer


def _refusal(detail: str) -> dict[str, Any]:
    """A 400 in the words of every gateway: some read `headers`, some `multiValueHeaders`."""
    response = ProblemResponse(problem(400, detail))
    return {
        "statusCode": 400,
        "headers": {"content-type": PROBLEM_TYPE},
        "multiValueHeaders": {"content-type": [PROBLEM_TYPE]},
        "body": bytes(response.body).decode(),
        "isBase64Encoded": False,
    }


def _at_base_path(app: ASGIApp, base_path: str) -> ASGI:
    """The app below the path that the gateway puts in front: a stage, or `base_path` where a
    custom domain has a mapping. Addresses that the app makes then lead back to it."""

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        root = _root_path(scope["aws.event"], scope["path"], base_path)
        path = scope["path"] if _is_below(scope["path"], root) else root + scope["path"]
        await app({**scope, "root_path": root, "path": path}, receive, send)

    return mounted


def _root_path(event: Event, path: str, base_path: str) -> str:
    if base_path and _is_below(path, base_path):
        return base_path
    context = event["requestContext"]
    stage = f"/{context.get('stage', '')}"
    whole = path if "http" in context else str(context.get("path", ""))
    return stage if stage != "/$default" and _is_below(whole, stage) else ""


def _is_below(path: str, root: str) -> bool:
    return root != "/" and (path == root or path.startswith(f"{root}/"))


# S3


def _classify_incoming(event: Event, classifier: Classifier, settings: Settings) -> dict[str, Any]:
    """Classify each object below `incoming/` and write its result below `results/`.

    What is wrong with an image is its result: nothing is gained by trying again. What is wrong with
    the bucket is raised, after the other objects, so that Lambda tries again and then gives the
    event to the function's on-failure destination.
    """
    from classifier.s3 import INCOMING, ImageStore  # boto3: only for those who use it

    store = ImageStore(settings.bucket, max_bytes=settings.max_object_bytes)
    written, failures = [], []
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        if bucket != settings.bucket or not key.startswith(INCOMING):
            _log.warning(
                "Left alone: s3://%s/%s is not in s3://%s/%s",
                bucket,
                key,
                settings.bucket,
                INCOMING,
            )
            continue
        try:
            written.append(store.put_result(key, _result(store.fetch, key, classifier)))
        except StoreError as error:
            _log.error("%s", error)
            failures.append(error)
    if failures:
        raise StoreError(
            f"{len(failures)} of {len(event['Records'])} objects failed: {failures[0]}"
        )
    return {"results": written}


def _result(fetch: Callable[[str], bytes], key: str, classifier: Classifier) -> dict[str, Any]:
    try:
        done = classifier.classify(fetch(key), top_k=5)
    except (ImageError, UploadError) as error:
        return {"key": key, **problem_of(error)}
    return {"key": key, "predictions": done.predictions, "model": classifier.model.card.name}
