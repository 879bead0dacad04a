"""CloudWatch metrics as log lines in the embedded metric format.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format". Declined:
aws-lambda-powertools, which costs 50 ms of every cold start, a tenth of it, for this one structure.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO

from classifier.telemetry.metrics import Metrics
from classifier.telemetry.trace_context import TraceContext, lambda_trace

if TYPE_CHECKING:
    from classifier.telemetry.request import RequestRecord

NAMESPACE: Final = "ImageClassifier"

_COUNT: Final = "Count"
_MILLISECONDS: Final = "Milliseconds"
_NO_UNIT: Final = "None"


class EmbeddedMetrics(Metrics):
    """Each line is a metric and, at the same time, a log entry with the request's id and trace."""

    def __init__(self, function: str, output: TextIO | None = None) -> None:
        """`output` defaults to standard output."""
        self._function = function
        self._output = output
        self._request_id = ""
        self._trace: TraceContext | None = None
        """That of the present request: a process of a function has one at a time"""
        self._cold = True

    def invocation_started(self, request_id: str) -> None:
        """The first invocation of a process is its cold start."""
        self._request_id = request_id
        self._trace = lambda_trace(os.environ)
        if self._cold:
            self._cold = False
            self._emit({"ColdStart": (_COUNT, 1)})

    def request_started(self, record: "RequestRecord") -> None:
        self._trace = record.trace

    def observe_image(
        self,
        decode_seconds: float,
        infer_seconds: float,
        top_probability: float,
        format_name: str,
    ) -> None:
        self._emit(
            {
                "Classifications": (_COUNT, 1),
                "DecodeTime": (_MILLISECONDS, round(decode_seconds * 1e3, 3)),
                "InferTime": (_MILLISECONDS, round(infer_seconds * 1e3, 3)),
                "TopProbability": (_NO_UNIT, top_probability),
            },
            {"format": format_name},
        )

    def count_error(self, kind: str) -> None:
        self._emit({"Errors": (_COUNT, 1)}, kind=kind)

    def _emit(
        self,
        metrics: dict[str, tuple[str, float]],
        properties: Mapping[str, str] | None = None,
        **dimensions: str,
    ) -> None:
        """`properties` are in the log only: each value of a dimension would be a metric to pay."""
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
            **(self._trace.fields() if self._trace else {}),
            **(properties or {}),
        }
        output = self._output or sys.stdout
        output.write(json.dumps(line, separators=(",", ":")) + "\n")  # whole, among processes
        output.flush()
