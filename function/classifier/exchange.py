"""One request and its answer, as the log and the metrics tell of it."""

import os
import re
from time import perf_counter
from typing import Final

from starlette.types import Scope

KEY: Final = "classifier.exchange"
"""Where the exchange is in the ASGI scope."""

CLIENT_GONE: Final = 499
"""What the log and the metrics have for a status where the client did not wait for it."""

_SANE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Exchange:
    """Times are in seconds."""

    __slots__ = ("bytes_in", "decode", "id", "images", "infer", "method", "path", "start", "status")

    def __init__(self, scope: Scope) -> None:
        self.start = perf_counter()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.id = _request_id(scope)
        self.status = CLIENT_GONE
        self.bytes_in = 0
        self.images = 0
        self.decode = 0.0
        self.infer = 0.0


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that this request is part of."""
    found: Exchange = scope[KEY]
    return found


def _request_id(scope: Scope) -> str:
    """The one that came with the request, if it is fit for a log, or else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return str(value, "ascii")
    return os.urandom(8).hex()
