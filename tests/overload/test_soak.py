"""A short run of `python -m tests.measure.soak`."""

from pathlib import Path

from tests.measure import soak
from tests.support.server import serving


def test_nothing_grows(tmp_path: Path) -> None:
    with serving(tmp_path / "log", ACCESS_LOG="0") as server:
        assert soak.run(server, requests=1500, warm_up=1000, seed=1) == []
        assert server.log.read_text().count("Traceback") == 0
