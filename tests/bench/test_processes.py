"""Costs and ends of process trees, with programs whose behaviour is known."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]
import pytest

from local.bench.processes import Tree, last_words, started
from tests.support.paths import ROOT

BURN = """
import time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""

TWO_BURN = f"""{BURN}
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''{BURN}
burn(0.4)
print("burned", flush=True)
input()'''], stdin=subprocess.PIPE)
burn(0.4)
print("burned", flush=True)
child.wait()
"""

WAITED_FOR = f"""{BURN}
import subprocess, sys
subprocess.run([sys.executable, "-c", '''{BURN}
burn(0.4)'''], check=True)
print("done", flush=True)
input()
"""

HELD_ONCE = """
block = bytearray(b"x") * 200_000_000
del block
print("freed", flush=True)
input()
"""

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
orphan = '''
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"])
'''
subprocess.run([sys.executable, "-c", orphan], check=True)
print("up", flush=True)
time.sleep(600)
"""

IDLE = "print('up', flush=True); import time; time.sleep(600)"


@contextlib.contextmanager
def tree_of(code: str, folder: Path, lines: int = 1) -> Iterator[Tree]:
    """The tree of a program that has printed so many lines."""
    command = [sys.executable, "-c", code]
    with started(command, log=folder / "log", folder=ROOT, talking=True) as tree:
        assert tree.popen.stdout
        assert all(tree.popen.stdout.readline() for _ in range(lines))
        yield tree


def lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def test_cpu_is_of_a_process_and_its_children(tmp_path: Path) -> None:
    with tree_of(TWO_BURN, tmp_path, lines=2) as tree:
        assert len(tree.members()) == 2
        assert 0.8 <= tree.cpu_seconds() + 0.02 < 1.5


def test_cpu_of_a_child_that_ended_counts(tmp_path: Path) -> None:
    with tree_of(WAITED_FOR, tmp_path) as tree:
        assert len(tree.members()) == 1
        assert 0.4 <= tree.cpu_seconds() + 0.02 < 1.0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are Linux's")
def test_memory_that_was_given_back_is_in_the_peak(tmp_path: Path) -> None:
    with tree_of(HELD_ONCE, tmp_path) as tree:
        assert psutil.Process(tree.popen.pid).memory_info().rss < 100e6
        assert 200e6 <= tree.peak_bytes() < 300e6


def test_nothing_is_left_of_what_ignores_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bench.processes._POLITE_SECONDS", 0.2)
    # given: a process that ignores SIGTERM, and another whose parent is gone
    with tree_of(STUBBORN, tmp_path, lines=2) as tree:
        members = tree.members()
        assert len(members) == 2
    # then
    assert not any(map(lives, members))


def test_an_error_ends_it_too(tmp_path: Path) -> None:
    seen: list[Tree] = []

    def fail() -> None:
        with tree_of(IDLE, tmp_path) as tree:
            seen.append(tree)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen[0].popen.poll() is not None


def test_last_words_are_one_short_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"first\n{'x' * 500}\n\n")
    assert last_words(log) == "x" * 200
    log.write_text("")
    assert last_words(log) == "it said nothing"
