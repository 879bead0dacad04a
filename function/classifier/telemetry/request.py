"""One request and its answer, as the log and the metrics tell of it."""

import random
import re
from time import perf_counter
from typing import Final

from starlette.types import Scope

KEY: Final = "classifier.exchange"
"""Where the exchange is in the ASGI scope."""

CLIENT_GONE: Final = 499
"""What the log and the metrics have for a status where the client did not wait for it."""

_SANE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""Request ids that are taken over: nothing else gets into a log or an answer."""


class Exchange:
    """Times are in seconds."""

    __slots__ = (
        "bytes_in",
        "closes",
        "decode",
        "id",
        "images",
        "infer",
        "method",
        "path",
        "start",
        "status",
    )

    def __init__(self, scope: Scope) -> None:
        self.start = perf_counter()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.id = ""
        self.closes = scope["http_version"] == "1.0"
        """Whether the connection ends with the answer, as the client wishes."""
        self.status = CLIENT_GONE
        self.bytes_in = 0
        self.images = 0
        self.decode = 0.0
        self.infer = 0.0
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _SANE.fullmatch(value):
                self.id = str(value, "ascii")
            elif name == b"connection" and b"close" in value.lower():
                self.closes = True
        if not self.id:
            invocation = getattr(scope.get("aws.context"), "aws_request_id", "")
            self.id = invocation or f"{random.getrandbits(64):016x}"


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that this request is part of."""
    found: Exchange = scope[KEY]
    return found
