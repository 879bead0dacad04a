"""The service with little memory, and the reading of its resources."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.benchmark.servers import proc
from local.benchmark.servers.limited import limited, memory_size
from local.benchmark.servers.server import MeasurementError

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc"
)


@pytest.mark.parametrize(
    ("text", "mebibytes", "title"),
    [
        ("512m", 512, "512 MB"),
        ("1g", 1024, "1 GB"),
        ("2G", 2048, "2 GB"),
        ("1536m", 1536, "1536 MB"),
    ],
)
def test_memory_size_is_written_as_docker_takes_it(text: str, mebibytes: int, title: str) -> None:
    size = memory_size(text)
    assert (size.text, size.mebibytes, str(size)) == (text.lower(), mebibytes, title)


@pytest.mark.parametrize("text", ["", "m", "512", "0m", "-1g", "1.5g", "1t"])
def test_other_memory_sizes_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 512m or 1g"):
        memory_size(text)


def test_peak_is_that_since_the_last_reading() -> None:
    proc.take(os.getpid())
    held = bytes(range(256)) * (1 << 18)  # 64 MiB
    size = len(held)
    del held
    used, after = proc.take(os.getpid()), proc.take(os.getpid())
    assert used["peak_bytes"] - after["bytes"] > 0.9 * size
    assert after["peak_bytes"] - after["bytes"] < 0.5 * size
    assert used["cpu_seconds"] <= after["cpu_seconds"]


def test_reading_runs_without_the_project() -> None:
    """As in a container."""
    program = Path(proc.__file__).read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"peak_bytes"' in done.stdout


def test_service_without_enough_memory_does_not_start() -> None:
    with (
        pytest.raises(MeasurementError, match="does not start"),
        limited(memory_size("16m"), container=False),
    ):
        pass
