"""Reads the service's access log."""

import json
from typing import Any

from tests.support.server import Server
from tests.support.wait import wait_until


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line for this request. The service writes it after the response."""

    def found() -> list[dict[str, Any]]:
        # Other lines are uvicorn's, or incomplete.
        lines = [
            line for line in server.log.read_text().splitlines(keepends=True) if is_complete(line)
        ]
        return [line for line in map(json.loads, lines) if line["request_id"] == request_id]

    def is_complete(line: str) -> bool:
        return line.startswith("{") and line.endswith("}\n")

    wait_until(found, f"a line for {request_id}")
    (line,) = found()
    return line
