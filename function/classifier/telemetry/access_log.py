"""The access log: a line of JSON for each request, without anything the image shows."""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from classifier.telemetry.request import RequestRecord

_MAX_PATH: Final = 200

_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class AccessLog:
    """Writes to standard output. Queries, headers and file names are left out."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def write(self, record: RequestRecord, seconds: float) -> None:
        """One line, in one write: several processes may share the output."""
        if not self._enabled:
            return
        entry: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": record.id,
            "method": record.method,
            "path": record.path[:_MAX_PATH],
            "status": record.status,
            "ms": round(seconds * 1e3, 2),
            "bytes_in": record.bytes_in,
        }
        if record.trace:
            entry |= record.trace.fields()
        if record.images:
            entry |= {
                "images": record.images,
                "queue_ms": round(record.queue * 1e3, 2),
                "decode_ms": round(record.decode * 1e3, 2),
                "infer_ms": round(record.infer * 1e3, 2),
            }
        with suppress(OSError):  # stdout is closed; keep serving
            os.write(sys.stdout.fileno(), f"{_to_json(entry)}\n".encode())
