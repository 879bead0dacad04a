"""HTTP events of API Gateway, function URLs and load balancers, through Mangum."""

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any, Final

from mangum import Mangum
from mangum.types import ASGI
from starlette.types import ASGIApp, Receive, Scope, Send

from classifier.api.responses import PROBLEM_TYPE, ProblemResponse
from classifier.errors import InvalidEvent

Event = dict[str, Any]

_TEXT: Final = ["text/", "application/json", PROBLEM_TYPE]
"""Content types that are sent as text; other bodies are base64 in the response."""

_log = logging.getLogger(__name__)


def is_http_event(event: object) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return False
    if event.get("version") == "2.0":
        return isinstance(event["requestContext"].get("http"), dict)
    return "httpMethod" in event and "path" in event


def create_http_handler(app: ASGIApp, base_path: str) -> Callable[[Event, Any], dict[str, Any]]:
    """A handler of HTTP events; `base_path` is that of a custom domain's mapping."""
    # Mangum logs each request at INFO, the runtime's level for logs in JSON; ours is ACCESS_LOG.
    logging.getLogger("mangum").setLevel(logging.WARNING)
    # lifespan="off": Mangum would run it for every invocation.
    mangum = Mangum(_below_base_path(app, base_path), lifespan="off", text_mime_types=_TEXT)

    def handle(event: Event, context: Any) -> dict[str, Any]:
        event = {**event, "headers": event.get("headers") or {}}
        if event.get("isBase64Encoded"):
            # Mangum decodes leniently, and its errors are outside the application.
            try:
                body = base64.b64decode(event.get("body") or "", validate=True)
            except (binascii.Error, ValueError, TypeError):
                return _refusal("The body of the event is not valid base64.")
            event |= {"body": body, "isBase64Encoded": False}
        try:
            return mangum(event, context)
        except Exception:  # of Mangum: the application responds to its own
            _log.exception("Invalid HTTP event")
            return _refusal("The event cannot be read as an HTTP request.")

    return handle


def _refusal(message: str) -> dict[str, Any]:
    """A 400 for every gateway: some read `headers`, some `multiValueHeaders`."""
    response = ProblemResponse(InvalidEvent(message))
    return {
        "statusCode": response.status_code,
        "headers": {"content-type": PROBLEM_TYPE},
        "multiValueHeaders": {"content-type": [PROBLEM_TYPE]},
        "body": bytes(response.body).decode(),
        "isBase64Encoded": False,
    }


def _below_base_path(app: ASGIApp, base_path: str) -> ASGI:
    """The application below the path that the gateway puts in front: a stage, or `base_path`. URLs
    that the application generates include it."""

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
