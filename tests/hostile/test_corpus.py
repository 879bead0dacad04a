"""Every malformed file gets an answer that says what is wrong, soon, and in little memory."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.hostile import corpus
from tests.support.paths import ROOT
from tests.support.pictures import encode, photo
from tests.support.server import Server, serving

STATUSES: Final = (200, 413, 415, 422)
SECONDS: Final = 1.0
MEMORY: Final = 64 * 2**20

_NAMES: Final = [make.__name__ for make in corpus.MAKERS]

pytestmark = [
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc"
    ),
    # Pillow remarks on what the corpus is made of.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, sample: bytes) -> Iterator[Server]:
    """A server that has classified an image of each format, on each of its threads."""
    with serving(tmp_path_factory.mktemp("hostile") / "log", THREADS="1") as server:
        for kind, options in corpus.KINDS.items():
            for _ in range(3):
                answer = httpx.post(server.url, files={"file": encode(photo(), kind, **options)})
                assert answer.status_code == 200
        yield server


def _processor_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("make", corpus.MAKERS, ids=_NAMES)
def test_a_malformed_file_is_answered_soon(warm: Server, make: corpus.Maker) -> None:
    """Time is the server's own on a processor: what else the machine does is not its fault."""
    wrong = []
    with httpx.Client(base_url=warm.url, timeout=60) as client:
        for name, data in make():
            before = _processor_seconds(warm)
            answer = client.post("/", content=data, headers={"content-type": "image/png"})
            took = _processor_seconds(warm) - before
            if answer.status_code not in STATUSES or took > SECONDS:
                wrong.append((name, answer.status_code, round(took, 2)))
    assert not wrong


@pytest.mark.parametrize("name", _NAMES)
def test_a_malformed_file_is_decoded_in_little_memory(name: str) -> None:
    """In a process of its own, so that peaks are those of the decoder, beside the file's bytes."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.measure", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
    costs = json.loads(done.stdout)
    assert costs
    assert not [each for each in costs if each[1] > SECONDS or each[2] > MEMORY]


def test_the_server_still_answers_after_all_that(warm: Server, sample: bytes) -> None:
    start = time.monotonic()
    assert httpx.post(warm.url, files={"file": sample}).status_code == 200
    assert time.monotonic() - start < 5
