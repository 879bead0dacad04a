"""Memory of the service during endless headers and bodies: python -m tests.measure.hostile_http

Each is sent until the service closes the connection, or has read enough of it. Exit status 0 if all
targets are met.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local.common.verdict import Threshold, add_verdict_options, judge
from tests.support import raw
from tests.support.endless import BODIES, FLOOD_BYTES, HEADERS, Endless
from tests.support.server import Server, serving

TARGETS: Final = [
    Threshold(str(HEADERS), 20, "MiB"),
    *(Threshold(str(body), 100, "MiB") for body in BODIES),
]
"""Growth of the peak resident memory"""


def peak_growth(server: Server, endless: Endless) -> float:
    """MiB by which the peak memory exceeds the initial memory while the service reads `endless`."""
    process = server.process.pid
    Path(f"/proc/{process}/clear_refs").write_text("5")  # reset the peak (Linux: proc(5))
    before = _status(process, "VmRSS")
    with raw.connection(server.url) as client:
        client.sendall(endless.start)
        _, received = raw.flood(client, endless.chunk, FLOOD_BYTES)
    assert raw.status(received) in endless.statuses, endless
    return (_status(process, "VmHWM") - before) / 1024


def _status(process: int, name: str) -> int:
    """The value of a line of /proc/PID/status, in kB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1])


def measure() -> Mapping[str, float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "log", ACCESS_LOG="0") as server,
    ):
        return {str(endless): peak_growth(server, endless) for endless in (HEADERS, *BODIES)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_verdict_options(parser)
    options = parser.parse_args()
    return judge(measure, TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    sys.exit(main())
