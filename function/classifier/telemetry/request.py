"""One request and its response, as the access log and the metrics record it."""

import random
import re
from time import perf_counter
from typing import Final

from starlette.types import Scope

SCOPE_KEY: Final = "classifier.request"
"""The key of the record in the ASGI scope"""

CLIENT_DISCONNECTED: Final = 499
"""The status in log and metrics where the client did not wait for the response; nginx's code."""

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
        "start",
        "status",
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
        """The wait for room in the queue, and for a thread: until the work on the first image
        starts, without the time in which the body arrives"""
        self.decode = 0.0
        self.infer = 0.0
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                self.id = str(value, "ascii")
        if not self.id:
            lambda_request_id = getattr(scope.get("aws.context"), "aws_request_id", "")
            self.id = lambda_request_id or f"{random.getrandbits(64):016x}"


def record_of(scope: Scope) -> RequestRecord:
    """The record of the request that `scope` belongs to."""
    record: RequestRecord = scope[SCOPE_KEY]
    return record
