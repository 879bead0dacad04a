"""What is counted and measured, and how it leaves the process."""

import json
import sys
import time
from typing import Any, Final, TextIO

NAMESPACE: Final = "ImageClassifier"


class Metrics:
    """Told of every image, whichever door it came in by, and of every request to the web server.
    This one takes no notice."""

    def classified(self, decode_seconds: float, infer_seconds: float) -> None:
        """An image was classified, in these times."""

    def failed(self, kind: str) -> None:
        """A request or an image was refused; `kind` is the class of the error."""

    def waited(self, seconds: float) -> None:
        """An image has waited for a thread."""

    def began(self) -> None:
        """A request has come."""

    def ended(self, status: int, seconds: float) -> None:
        """A request has been answered."""

    def exposition(self) -> tuple[bytes, str] | None:
        """What `/metrics` shows, and its content type; None where there is nothing to show."""
        return None


class EmbeddedMetrics(Metrics):
    """CloudWatch metrics as lines of the log: each is JSON in the embedded metric format, and at
    the same time a structured log entry with the request's id.

    Source of the format: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
    It is written here because the library for it (aws-lambda-powertools) costs 50 ms of every cold
    start, a tenth of it, for this one structure.
    """

    def __init__(self, function: str, output: TextIO | None = None) -> None:
        self._function = function
        self._output = output
        self._request_id = ""
        self._cold = True

    def begin(self, request_id: str) -> None:
        """An invocation begins. The first one of a process is its cold start."""
        self._request_id = request_id
        if self._cold:
            self._cold = False
            self._emit({"ColdStart": ("Count", 1)})

    def classified(self, decode_seconds: float, infer_seconds: float) -> None:
        self._emit(
            {
                "Classifications": ("Count", 1),
                "DecodeTime": ("Milliseconds", round(decode_seconds * 1e3, 3)),
                "InferTime": ("Milliseconds", round(infer_seconds * 1e3, 3)),
            }
        )

    def failed(self, kind: str) -> None:
        self._emit({"Errors": ("Count", 1)}, kind=kind)

    def _emit(self, metrics: dict[str, tuple[str, float]], **dimensions: str) -> None:
        dimensions = {"function": self._function, **dimensions}
        line: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(time.time() * 1e3),
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [list(dimensions)],
                        "Metrics": [
                            {"Name": name, "Unit": unit} for name, (unit, _) in metrics.items()
                        ],
                    }
                ],
            },
            **dimensions,
            **{name: value for name, (_, value) in metrics.items()},
            "requestId": self._request_id,
        }
        print(json.dumps(line, separators=(",", ":")), file=self._output or sys.stdout, flush=True)
