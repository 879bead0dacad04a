"""One request and its response, as the access log and the metrics record it."""

import os
import random
import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from classifier.telemetry.trace_context import HEADERS, TraceContext, find_trace, lambda_trace

if TYPE_CHECKING:
    from classifier.telemetry.tracing import Stage

SCOPE_KEY: Final = "classifier.request"
"""The key of the record in the ASGI scope"""

CLIENT_DISCONNECTED: Final = 499
"""The status in log and metrics where the client did not wait for the response; nginx's code."""

_READ: Final = frozenset((b"x-request-id", *HEADERS))
"""Names of the headers that the record has something of"""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""Request ids of clients that are kept; anything else does not get into logs and responses."""


class RequestRecord:
    """Times are in seconds."""

    __slots__ = (
        "bytes_in",
        "decode",
        "id",
        "images",
        "infer",
        "method",
        "path",
        "queue",
        "route",
        "stages",
        "start",
        "status",
        "trace",
    )

    def __init__(self, scope: Scope) -> None:
        self.start = perf_counter()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.route = ""
        """The template of the route's path, as `route_of` returns it; set with the response"""
        self.id = ""
        self.status = CLIENT_DISCONNECTED
        self.bytes_in = 0
        self.images = 0
        self.queue = 0.0
        """The wait for room in the queue and in memory, and for a thread: until the work on the
        first image starts, without the time in which the body arrives"""
        self.decode = 0.0
        self.infer = 0.0
        self.stages: list[Stage] | None = None
        """The parts of the work that become spans; None if no spans are made"""
        self.trace: TraceContext | None = None
        is_traced = False
        for name, value in scope["headers"]:
            if name not in _READ:
                continue
            if name != b"x-request-id":
                is_traced = True
            elif _REQUEST_ID.fullmatch(value):
                self.id = str(value, "ascii")
        if is_traced:
            self.trace = find_trace(scope["headers"])
        if not self.id:
            lambda_request_id = getattr(scope.get("aws.context"), "aws_request_id", "")
            self.id = lambda_request_id or f"{random.getrandbits(64):016x}"
        if self.trace is None and "aws.context" in scope:
            self.trace = lambda_trace(os.environ)


def record_of(scope: Scope) -> RequestRecord:
    """The record of the request that `scope` belongs to."""
    record: RequestRecord = scope[SCOPE_KEY]
    return record
