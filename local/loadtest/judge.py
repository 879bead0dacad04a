"""An HTTP answer -> answered, or the kind of failure."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol

from local.loadtest.result import ANSWERED

NO_PREDICTIONS = "no predictions"
FUNCTION_ERROR = "function error"


class Judge(Protocol):
    """Tells the `failure` of an `Outcome` from a complete answer."""

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes) -> str: ...


def judge_service(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Of the service itself: status 200 and at least one prediction."""
    if status != 200:
        return f"status {status}"
    answer = _json_object(body)
    predictions = answer.get("predictions")
    return ANSWERED if isinstance(predictions, list) and predictions else NO_PREDICTIONS


def judge_invocation(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Of Lambda's Invoke: the service's answer inside the function's result (payload format 2.0).

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
    return judge_service(code, {}, inner)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
