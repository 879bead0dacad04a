"""A run of the load engine in a separate process, so that a test can stop it.

    python -m tests.support.load_run '{"url": ..., "due": [...], "timeout": ...}' FOLDER

writes the records and the rest of the `Run` to FOLDER, and meanwhile its progress.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from local.common.cli import main
from local.common.paths import SAMPLE
from local.loadtest.engine import engine
from local.loadtest.payload import read_payloads
from local.loadtest.run import Records, Run
from local.loadtest.schedule import Schedule
from local.loadtest.target import HttpOptions, http_target
from tests.support.scripts import finish, start
from tests.support.wait import HANG_SECONDS


def schedule_of(due: Sequence[float]) -> Schedule:
    return Schedule(np.array(due, np.float64), None, "a test", {})


def waves(parallel: int, period: float, repeat: int) -> list[float]:
    """Due times of waves."""
    return [wave * period for wave in range(repeat) for _ in range(parallel)]


def start_run(
    url: str,
    due: Sequence[float],
    folder: Path,
    *,
    timeout: float = HANG_SECONDS,
    killed_after: float | None = None,
    senders: int | None = None,
    **options: Any,
) -> subprocess.Popen[str]:
    """Start a run. killed_after: seconds from a signal to the end of senders that do not stop.
    senders: their number at most, whatever the machine has; default: its cores. `options` are those
    of `HttpOptions`."""
    arguments = {"url": url, "due": list(due), "timeout": timeout, "options": options}
    if killed_after is not None:
        arguments["killed_after"] = killed_after
    if senders is not None:
        arguments["senders"] = senders
    return start("-m", "tests.support.load_run", json.dumps(arguments), folder)


def progress(folder: Path) -> list[int]:
    """The number of records of each call of `on_records` so far."""
    path = folder / "progress"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def finish_run(process: subprocess.Popen[str], folder: Path) -> Run:
    """The results, when the run has ended and none of its processes is left."""
    done = finish(process)
    assert (done.returncode, done.stderr) == (0, "")
    rest = json.loads((folder / "run.json").read_text())
    return Run(
        schedule=schedule_of(rest.pop("due")), records=np.load(folder / "records.npy"), **rest
    )


def run_load(url: str, due: Sequence[float], folder: Path, **options: Any) -> Run:
    """A whole run."""
    return finish_run(start_run(url, due, folder, **options), folder)


def kinds_of(run: Run, records: Records | None = None) -> dict[str, int]:
    """The number of requests by kind."""
    chosen = run.records if records is None else records
    numbers, counts = np.unique(chosen["failure"], return_counts=True)
    return {run.kinds[number]: int(count) for number, count in zip(numbers, counts, strict=True)}


def command() -> int:
    given, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    engine.KILLED_AFTER_SECONDS = given.get("killed_after", engine.KILLED_AFTER_SECONDS)  # type: ignore[misc]
    if "senders" in given:
        engine.cpu_count = lambda: given["senders"]  # type: ignore[attr-defined]
    target = http_target(given["url"], read_payloads(SAMPLE), HttpOptions(**given["options"]))

    def on_records(records: Records, _: Sequence[str]) -> None:
        with (folder / "progress").open("a") as file:
            file.write(f"{len(records)}\n")

    done = engine.run(target, schedule_of(given["due"]), given["timeout"], on_records)
    np.save(folder / "records.npy", done.records)
    rest = {
        "due": given["due"],
        "target": done.target,
        "connections": done.connections,
        "kinds": done.kinds,
        "start_epoch": done.start_epoch,
        "stopped_by": done.stopped_by,
    }
    assert done.client is not None
    (folder / "client.json").write_text(json.dumps(asdict(done.client)))
    (folder / "run.json").write_text(json.dumps(rest))
    return 0


if __name__ == "__main__":
    main(command)
