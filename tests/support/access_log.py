"""Reads the service's access log."""

import json
from typing import Any

from tests.support.server import Server
from tests.support.wait import wait_until


def entries_of(server: Server) -> list[dict[str, Any]]:
    """The complete lines so far."""
    # Other lines are uvicorn's, or incomplete.
    lines = server.log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line for this request. The service writes it after the response."""

    def found() -> list[dict[str, Any]]:
        return [entry for entry in entries_of(server) if entry["request_id"] == request_id]

    wait_until(found, f"a line for {request_id}")
    (line,) = found()
    return line
