"""The result of one request."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

ANSWERED: Final = ""
"""The `failure` of a request with predictions."""

IN_FLIGHT: Final = "in flight"
"""The `failure` of a request without a response when the run was stopped."""


class RequestResult(NamedTuple):
    """One request. Times are seconds of `time.perf_counter`, a clock that all processes of a
    machine share."""

    wave: int
    """Index of its wave, from 0."""
    number: int
    """Index in the wave, from 0."""
    intended: float
    """When it was due."""
    started: float
    """When the client opened its connection."""
    ended: float
    """When the response was complete, the request failed, or the run was stopped."""
    failure: str
    """`ANSWERED`, `IN_FLIGHT`, or the kind of failure."""

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end, including the client's own delay."""
        return self.ended - self.intended

    @property
    def service(self) -> float:
        """Seconds from the actual start to the end, with the TCP (and TLS) handshake."""
        return self.ended - self.started

    @property
    def lateness(self) -> float:
        """Seconds from the intended to the actual start: the client's own delay."""
        return self.started - self.intended


NO_PREDICTIONS = "no predictions"
FUNCTION_ERROR = "function error"


class ResponseClassifier(Protocol):
    """Returns the `failure` of a complete response."""

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
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
