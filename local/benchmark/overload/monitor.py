"""Watch a server from another process, as a monitoring system does.

    python -m local.benchmark.overload.monitor PID PORT [PATH ...]

Until stdin ends, requests each PATH every 50 ms over a new connection, and samples memory and CPU
time of process PID and its descendants, and the idle time of the CPUs. Then prints one line of
JSON (`Watched`).
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

import psutil  # type: ignore[import-untyped,unused-ignore]

from local.benchmark.servers.server import MeasurementError, Running
from local.common.paths import ROOT

_PROBE_SECONDS: Final = 0.05
_SAMPLE_SECONDS: Final = 0.2
_TIMEOUT_SECONDS: Final = 30.0
_END_SECONDS: Final = 2 * _TIMEOUT_SECONDS


class Probe(NamedTuple):
    """One request: when it started (seconds of `time.monotonic`), its seconds, and its status or
    the name of its failure."""

    at: float
    seconds: float
    result: str

    @property
    def is_good(self) -> bool:
        return self.result == "200"


class Sample(NamedTuple):
    """Resident bytes and CPU seconds of all processes at a time (seconds of `time.monotonic`), and
    the idle seconds of all CPUs that may be used."""

    at: float
    memory: int
    cpu_s: float
    idle_s: float


@dataclass
class Watched:
    """What the monitor saw; the probes by path."""

    probes: dict[str, list[Probe]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Watched":
        probes = {
            path: [Probe(*each) for each in found] for path, found in content["probes"].items()
        }
        return cls(probes, [Sample(*each) for each in content["samples"]])

    def slowest_ms(self, path: str, start: float, end: float) -> float:
        """The slowest request that was in flight between `start` and `end`; 0 without requests."""
        found = (
            each.seconds
            for each in self.probes.get(path, ())
            if each.at < end and each.at + each.seconds >= start
        )
        return 1000 * max(found, default=0.0)

    def failures(self) -> list[str]:
        """A line for each request without a 200."""
        return [
            f"{path}: {each.result}"
            for path, found in self.probes.items()
            for each in found
            if not each.is_good
        ]

    def growth_bytes(self, start: float, end: float) -> int:
        """The peak in the second half of the time less that in the first half; 0 if one of them has
        no sample."""
        middle = (start + end) / 2
        first = [each.memory for each in self.samples if start <= each.at < middle]
        second = [each.memory for each in self.samples if middle <= each.at <= end]
        return max(second) - max(first) if first and second else 0

    def peak_bytes(self) -> int:
        return max((each.memory for each in self.samples), default=0)

    def cores(self, start: float, end: float) -> tuple[float, float]:
        """The CPUs that the processes used and that were idle, on average between the first and the
        last sample of the time. Raises `MeasurementError` if there are less than two."""
        found = [each for each in self.samples if start <= each.at <= end]
        if len(found) < 2:
            raise MeasurementError("the monitor got no CPU time")
        first, last = found[0], found[-1]
        seconds = last.at - first.at
        return (last.cpu_s - first.cpu_s) / seconds, (last.idle_s - first.idle_s) / seconds


@contextlib.contextmanager
def watching(server: Running, paths: Sequence[str]) -> Iterator[Watched]:
    """Run the monitor; the result is complete after the context. Raises `MeasurementError`."""
    watched = Watched()
    module = [sys.executable, "-m", "local.benchmark.overload.monitor"]
    arguments = [str(server.tree.popen.pid), str(server.port), *paths]
    with subprocess.Popen(
        [*module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield watched
            output, errors = process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            raise MeasurementError("the monitor does not end") from None
        finally:
            process.kill()
    try:
        found = Watched.from_json(json.loads(output))
    except ValueError:
        raise MeasurementError(f"the monitor failed: {errors.strip()[-200:]}") from None
    watched.probes, watched.samples = found.probes, found.samples


def probe(port: int, path: str) -> Probe:
    """Request `path` of the loopback interface over a new connection."""
    start = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            result = str(response.status)
    except (OSError, http.client.HTTPException) as error:
        result = type(error).__name__
    return Probe(start, time.monotonic() - start, result)


def sample(root: psutil.Process) -> Sample:
    """Resources of a process and its descendants. Raises `psutil.Error` if it has
    ended."""
    memory, cpu = 0, 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times, size = process.cpu_times(), process.memory_info().rss
        except psutil.NoSuchProcess:
            if process is root:
                raise
            continue
        memory += size
        cpu += times.user + times.system
    return Sample(time.monotonic(), memory, cpu, idle_seconds())


def idle_seconds() -> float:
    """Of all CPUs that this process may use, since the start of the machine."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return sum(
        times.idle + getattr(times, "iowait", 0.0)
        for number, times in enumerate(psutil.cpu_times(percpu=True))
        if usable is None or number in usable
    )


def _probe_until(ended: threading.Event, port: int, path: str, found: list[Probe]) -> None:
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        found.append(probe(port, path))
        due = max(due + _PROBE_SECONDS, time.monotonic())


def _sample_until(ended: threading.Event, pid: int, found: list[Sample]) -> None:
    with contextlib.suppress(psutil.Error):  # the server has ended
        process = psutil.Process(pid)
        found.append(sample(process))
        while not ended.wait(_SAMPLE_SECONDS):
            found.append(sample(process))


def main() -> None:
    pid, port = map(int, sys.argv[1:3])
    paths = sys.argv[3:]
    watched = Watched({path: [] for path in paths})
    ended = threading.Event()
    threads = [
        threading.Thread(target=_probe_until, args=(ended, port, path, found))
        for path, found in watched.probes.items()
    ]
    threads.append(threading.Thread(target=_sample_until, args=(ended, pid, watched.samples)))
    for thread in threads:
        thread.start()
    try:
        sys.stdin.read()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    print(json.dumps(asdict(watched)))


if __name__ == "__main__":
    main()
