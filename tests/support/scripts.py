"""Runs the scripts as users do: from a terminal, in the root or in their folder."""

import contextlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS

_LOAD_TESTS: Final = ("test_script.py", "run_multiple_tests.py", "run_rate_test.py")


def start(
    *arguments: object,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> subprocess.Popen[str]:
    """Start `python arguments...` in a new session, as a terminal does, with `environment` added to
    the environment of this process. With `output`, stdout and stderr go to that file.

    Load tests get --late-ok: on a busy machine the client may be late, which changes no result.
    """
    if any(str(argument).endswith(_LOAD_TESTS) for argument in arguments[:1]):
        arguments = (*arguments, "--late-ok")
    with contextlib.ExitStack() as stack:
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdout=stack.enter_context(output.open("w")) if output else subprocess.PIPE,
            stderr=subprocess.STDOUT if output else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end. Raises `AssertionError` if a child process outlives it."""
    with process:
        try:
            out, err = process.communicate(timeout=HANG_SECONDS)
        finally:
            left = session_of(process)
            for child in left:
                child.kill()
            process.kill()  # if it hangs
    assert left == []
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def script(
    *arguments: object, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return finish(start(*arguments, cwd=cwd, environment=environment))


def refused(script: str, *arguments: object) -> str:
    """Run, in this process, a command line that a script refuses. Returns the line on stderr."""
    out, err = io.StringIO(), io.StringIO()
    status: object = None
    saved = sys.argv, sys.path
    sys.argv, sys.path = [script, *map(str, arguments)], [*sys.path]
    try:
        with (
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.argv, sys.path = saved
    assert (status, out.getvalue()) == (2, ""), err.getvalue()
    assert err.getvalue().startswith("error: ")
    assert err.getvalue().count("\n") == 1
    return err.getvalue()


def measured(
    *arguments: object, folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run a script with --json. Returns the completed process and the report."""
    path = folder / "report.json"
    done = script(*arguments, "--json", path, environment=environment)
    assert path.exists(), done.stderr
    report: dict[str, Any] = json.loads(path.read_text())
    assert_consistent(report)
    return done, report


def assert_consistent(report: Mapping[str, Any]) -> None:
    """The report counts each request exactly once."""
    assert report["requests"] == report["answered"] + report["failures"] + report["in_flight"]
    assert report["failures"] == sum(report["failures_by_kind"].values())
    for name in ("requests", "failures", "in_flight"):
        assert report[name] == sum(part[name] for part in report["waves"] or report["periods"])


def session_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The other live processes in its session."""
    found = []
    for other in psutil.process_iter():
        try:
            if os.getsid(other.pid) == process.pid and other.status() != psutil.STATUS_ZOMBIE:
                found.append(other)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return [other for other in found if other.pid != process.pid]


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C: a terminal sends SIGINT to all processes in the foreground."""
    os.killpg(process.pid, signal.SIGINT)
