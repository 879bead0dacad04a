"""The service's access log, as a test reads it."""

import json
from typing import Any

from tests.support.server import Server
from tests.support.wait import wait_until


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line of the log for this request, which is written after its answer."""

    def found() -> list[dict[str, Any]]:
        # Whatever is not a whole line of JSON is not of this log, or not yet complete.
        lines = [line for line in server.log.read_text().splitlines(keepends=True) if ends(line)]
        return [line for line in map(json.loads, lines) if line["request_id"] == request_id]

    def ends(line: str) -> bool:
        return line.startswith("{") and line.endswith("}\n")

    wait_until(found, f"a line for {request_id}")
    (line,) = found()
    return line
