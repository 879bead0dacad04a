"""The log of requests: a line of JSON for each, and nothing in it of what the image shows."""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from classifier.telemetry.request import Exchange

_LONGEST_PATH: Final = 200


class RequestLog:
    """Writes to standard output. The query, the headers and the file names are left out."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def write(self, exchange: Exchange, seconds: float) -> None:
        """One line, in one piece: several processes may write to the same place."""
        if not self._enabled:
            return
        images = (
            f',"images":{exchange.images},"decode_ms":{exchange.decode * 1e3:.2f}'
            f',"infer_ms":{exchange.infer * 1e3:.2f}'
            if exchange.images
            else ""
        )
        line = (
            f'{{"time":"{datetime.now(UTC).isoformat(timespec="milliseconds")}"'
            f',"request_id":"{exchange.id}","method":"{exchange.method}"'
            f',"path":{json.dumps(exchange.path[:_LONGEST_PATH])},"status":{exchange.status}'
            f',"ms":{seconds * 1e3:.2f},"bytes_in":{exchange.bytes_in}{images}}}\n'
        )
        with suppress(OSError):  # who reads the log is gone: no reason to stop answering
            os.write(sys.stdout.fileno(), line.encode())
