"""The classification of responses: answered, or a kind of failure."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from local.loadtest.run import ANSWERED

NO_PREDICTIONS: Final = "no predictions"
FUNCTION_ERROR: Final = "function error"


class ResponseClassifier(Protocol):
    """Returns the kind of a complete response: `ANSWERED`, or of a failure."""

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes) -> str: ...


def classify_response(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """For the service itself: status 200 and at least one prediction."""
    if status != 200:
        return f"status {status}"
    answer = _json_object(body)
    predictions = answer.get("predictions")
    return ANSWERED if isinstance(predictions, list) and predictions else NO_PREDICTIONS


def classify_invocation(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """For Lambda's Invoke: the service's response inside the function's result (payload format
    2.0).

    A function that raised, or an emulator that could not run it, is a `function error`.
    """
    if status != 200:
        return f"status {status}"
    result = _json_object(body)
    code = result.get("statusCode")
    if "x-amz-function-error" in headers or not isinstance(code, int):
        return FUNCTION_ERROR
    content = str(result.get("body", "")).encode()
    try:
        inner = base64.b64decode(content) if result.get("isBase64Encoded") else content
    except ValueError:
        return FUNCTION_ERROR
    return classify_response(code, {}, inner)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
