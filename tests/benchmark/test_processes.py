"""CPU, memory and termination of process trees, with programs of known behaviour."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]
import pytest

from local.benchmark.servers.processes import ProcessTree, last_line, process_tree
from tests.support.paths import ROOT

BURN = """
import os, resource, subprocess, sys, time
def burn():
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
def report():
    own, ended = (resource.getrusage(each) for each in
                  (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = sum((own.ru_utime, own.ru_stime, ended.ru_utime, ended.ru_stime))
    # In one piece: two processes share the pipe.
    os.write(1, (repr(seconds) + os.linesep).encode())
"""

TWO_BURN = f"""{BURN}
child = subprocess.Popen([sys.executable, "-c", '''{BURN}
burn()
report()
input()'''], stdin=subprocess.PIPE)
burn()
report()
child.wait()
"""

WAITED_FOR = f"""{BURN}
subprocess.run([sys.executable, "-c", '''{BURN}
burn()'''], check=True)
report()
input()
"""

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

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
def tree_of(code: str, folder: Path, lines: int = 1) -> Iterator[tuple[ProcessTree, list[str]]]:
    """The tree of a program after it has printed `lines` lines, and the lines."""
    command = [sys.executable, "-c", code]
    with process_tree(command, log=folder / "log", folder=ROOT, piped=True) as tree:
        assert tree.popen.stdout
        printed = [tree.popen.stdout.readline() for _ in range(lines)]
        assert all(printed), last_line(folder / "log")
        yield tree, printed


def lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def cpu_of(processes: list[psutil.Process]) -> float:
    """User and system time reported by the system, including ended children."""
    times = [process.cpu_times() for process in processes]
    return sum(sum((t.user, t.system, t.children_user, t.children_system)) for t in times)


def peak_of(process: psutil.Process) -> int:
    """The high-water mark of the resident set, in bytes (proc(5), VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def test_cpu_includes_children(tmp_path: Path) -> None:
    # given two processes that report their CPU time, and are now idle
    with tree_of(TWO_BURN, tmp_path, lines=2) as (tree, printed):
        members = tree.members()
        assert len(members) == 2
        # when
        before, cpu, after = cpu_of(members), tree.cpu_seconds(), cpu_of(members)
    # then it is their sum, up to the resolution of the system
    assert sum(map(float, printed)) >= 0.4
    assert cpu >= sum(map(float, printed)) - 4 * TICK_SECONDS
    assert before - 1e-6 <= cpu <= after + 1e-6


def test_cpu_includes_ended_children(tmp_path: Path) -> None:
    with tree_of(WAITED_FOR, tmp_path) as (tree, printed):
        members = tree.members()
        assert [process.pid for process in members] == [tree.popen.pid]
        before, cpu, after = cpu_of(members), tree.cpu_seconds(), cpu_of(members)
    assert float(printed[0]) >= 0.2
    assert cpu >= float(printed[0]) - 4 * TICK_SECONDS
    assert before - 1e-6 <= cpu <= after + 1e-6


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are Linux's")
def test_peak_memory_includes_freed_memory(tmp_path: Path) -> None:
    with tree_of(HELD_ONCE, tmp_path) as (tree, _):
        process = psutil.Process(tree.popen.pid)
        before, peak, after = peak_of(process), tree.peak_bytes(), peak_of(process)
        held_now = process.memory_info().rss
    assert held_now < 200e6 <= peak
    assert before <= peak <= after


def test_processes_that_ignore_sigterm_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.benchmark.servers.processes._TERMINATE_SECONDS", 0.2)
    # given: a process that ignores SIGTERM, and another whose parent is gone
    with tree_of(STUBBORN, tmp_path, lines=2) as (tree, _):
        members = tree.members()
        assert len(members) == 2
    # then
    assert not any(map(lives, members))


def test_error_in_the_context_ends_the_process(tmp_path: Path) -> None:
    seen: list[ProcessTree] = []

    def fail() -> None:
        with tree_of(IDLE, tmp_path) as (tree, _):
            seen.append(tree)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen[0].popen.poll() is not None


def test_last_line_is_truncated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"first\n{'x' * 500}\n\n")
    assert last_line(log) == "x" * 200
    log.write_text("")
    assert last_line(log) == "no output"
