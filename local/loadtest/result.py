"""What became of one request."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

ANSWERED: Final = ""
"""The `failure` of a request that was answered with predictions."""

IN_FLIGHT: Final = "in flight"
"""The `failure` of a request that had no answer yet when the run was stopped."""


class RequestResult(NamedTuple):
    """One request and its end. Times are seconds of `time.perf_counter`, which all processes of a
    machine share."""

    wave: int
    """The wave it belongs to, from 0."""
    number: int
    """Its place in the wave, from 0."""
    intended: float
    """When it was due."""
    started: float
    """When its connection was begun."""
    ended: float
    """When its answer was complete, or it failed, or the run was stopped."""
    failure: str
    """`ANSWERED`, `IN_FLIGHT`, or the kind of failure."""

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end: what someone waits who came when due."""
        return self.ended - self.intended

    @property
    def service(self) -> float:
        """Seconds from the actual start to the end, with the TCP (and TLS) handshake."""
        return self.ended - self.started

    @property
    def lateness(self) -> float:
        """Seconds from the intended to the actual start: how late this client itself was."""
        return self.started - self.intended


NO_PREDICTIONS = "no predictions"
FUNCTION_ERROR = "function error"


class ResponseClassifier(Protocol):
    """Tells the `failure` of an `RequestResult` from a complete answer."""

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes) -> str: ...


def classify_response(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Of the service itself: status 200 and at least one prediction."""
    if status != 200:
        return f"status {status}"
    answer = _json_object(body)
    predictions = answer.get("predictions")
    return ANSWERED if isinstance(predictions, list) and predictions else NO_PREDICTIONS


def classify_invocation(status: int, headers: Mapping[str, str], body: bytes) -> str:
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
    return classify_response(code, {}, inner)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
