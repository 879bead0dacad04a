"""Direct invocations with `{"image": "<base64>"}` -> the response of `POST /`."""

import json
from collections.abc import Callable
from typing import Any, Final

from classifier.settings import Settings

Event = dict[str, Any]

_SERVER_ERRORS: Final = 500


class InvocationFailed(RuntimeError):
    """The HTTP API responds to the same request with an error of the service."""


def classify_images(
    event: Event, handle_http: Callable[[Event, Any], dict[str, Any]], settings: Settings
) -> Any:
    """The response to images in base64: as over HTTP, and through the same code.

    Problems are responses. Errors of the service are raised as `InvocationFailed`, so that Lambda
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
    content = json.loads(response["body"])
    if response["statusCode"] >= _SERVER_ERRORS:
        raise InvocationFailed(content["detail"])
    return content
