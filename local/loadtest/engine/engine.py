"""A run: starts the senders, tells them when it starts, and collects their records."""

import contextlib
import math
import multiprocessing
import resource
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Final

import numpy as np
from numpy.typing import NDArray

from local.common.cli import UsageError
from local.common.cpu import cpu_count
from local.common.memory import peak_mb
from local.loadtest.engine import channel, signals
from local.loadtest.engine.channel import Channel, Closed, channel_pair
from local.loadtest.engine.kinds import Kinds
from local.loadtest.engine.sender import Job, run_sender
from local.loadtest.run import IN_FLIGHT, RECORD, ClientUse, Records, Run
from local.loadtest.schedule import Schedule, check_seconds
from local.loadtest.target import Target

PROCESS_KILLED: Final = "process killed"
"""The kind of the requests of a sender that ended before it had reported them."""

_START_SECONDS: Final = 0.05
"""From all senders being ready to the start of the run."""

_TICK_SECONDS: Final = 0.5
"""`on_records` is called at least this often."""

_SPARE_FILES: Final = 64

KILLED_AFTER_SECONDS: Final = 2.0
"""Senders end by themselves in a fraction of this time after they are told to stop."""

# A forked process has all imports, request bodies and due times. Needs fork: Linux, macOS or WSL.
_fork = multiprocessing.get_context("fork")

OnRecords = Callable[[Records, Sequence[str]], None]
"""Receives new records (type `RECORD`, possibly none; valid during the call) and all kinds so
far."""


def run(
    target: Target,
    schedule: Schedule,
    timeout: float,
    on_records: OnRecords = lambda *_: None,
) -> Run:
    """Send the requests of `schedule` to `target`, each when it is due.

    SIGINT and SIGTERM end the run early with the results so far; a second signal ends it at once.
    timeout: seconds per request from its actual start. `on_records` receives records as requests
    end, and is called at least every half second. Raises `UsageError`.
    """
    if len(schedule.due):
        check_seconds(schedule.due[-1], "Use a shorter plan")
    senders = max(1, min(cpu_count(), schedule.requests))
    _raise_file_limit(schedule.most_at_once, senders)
    return _Engine(target, schedule, timeout, on_records).run(senders)


@dataclass(eq=False)
class _Sender:
    """A process that sends requests."""

    share: int
    process: BaseProcess
    channel: Channel
    kinds: list[int] = field(default_factory=lambda: [0, 1])
    """The run's number for each of its kinds."""
    ready: bool = False
    done: bool = False
    """Whether it has reported everything."""


class _Engine:
    def __init__(
        self, target: Target, schedule: Schedule, timeout: float, on_records: OnRecords
    ) -> None:
        self._target = target
        self._schedule = schedule
        self._timeout = timeout
        self._on_records = on_records
        self._selector = selectors.DefaultSelector()
        self._senders: list[_Sender] = []
        self._count = 0
        """Senders that were started."""
        self._start = math.inf
        """When the run starts, in seconds of `time.perf_counter`."""
        self._kinds = Kinds()
        self._records = np.empty(schedule.requests, RECORD)
        self._ended = 0
        """Records so far."""
        self._reported: NDArray[np.bool_] = np.zeros(schedule.requests, np.bool_)
        """Whether each request has a record."""
        self._lost: list[int] = []
        """The shares of senders that ended early."""
        self._stopped_by: int | None = None
        self._stopped_at = math.inf
        self._peak_mb = 0.0

    def run(self, senders: int) -> Run:
        cpu = _cpu_seconds()
        try:
            with signals.signal_socket() as signal_socket:
                self._selector.register(signal_socket, selectors.EVENT_READ, None)
                for share in range(senders):
                    self._start_sender(share, senders)
                while self._senders and not all(sender.ready for sender in self._senders):
                    self._step()
                self._send_start()
                while self._senders:
                    self._step()
        finally:
            for sender in self._senders:
                sender.process.kill()
                self._reap(sender)
            self._selector.close()
        self._peak_mb += peak_mb()
        return Run(
            target=self._target.name,
            schedule=self._schedule,
            connections="keep-alive" if self._target.keep_alive else "new",
            records=self._in_order(),
            kinds=self._kinds.names,
            start_epoch=time.time() - time.perf_counter() + self._start
            if self._start < math.inf
            else time.time(),
            stopped_by=self._stopped_by,
            client=ClientUse(self._count, _cpu_seconds() - cpu, self._peak_mb),
            traces=self._target.traces,
        )

    # Senders

    def _start_sender(self, share: int, senders: int) -> None:
        job = Job(self._target, self._schedule.due, self._timeout, share, senders)
        try:
            ours, theirs = channel_pair()
            # The process must not hold the channels of others: their end shows that this process
            # has ended.
            others = [sender.channel for sender in self._senders]
            process = _fork.Process(
                target=_run_sender, args=(theirs, job, [ours, *others]), daemon=True
            )
            with signals.blocked():
                process.start()
        except OSError as error:
            raise UsageError(
                f"A process cannot be started: {error.strerror}. Raise the limits (ulimit -u, "
                "ulimit -n), or end other programs."
            ) from None
        theirs.close()
        sender = _Sender(share, process, ours)
        self._senders.append(sender)
        self._count += 1
        self._selector.register(ours, selectors.EVENT_READ, sender)

    def _send_start(self) -> None:
        if self._stopped_by is not None:
            return
        self._start = time.perf_counter() + _START_SECONDS
        for sender in self._senders:
            self._tell(sender, channel.START, channel.DOUBLE.pack(self._start))
        self._count_lost()

    def _tell(self, sender: _Sender, kind: bytes, content: bytes = b"") -> None:
        # If the process has ended, its channel shows that.
        with contextlib.suppress(OSError):
            sender.channel.send(kind, content)

    def _step(self) -> None:
        """Wait for senders and signals, at most a tick, and handle them."""
        before = self._ended
        for key, _ in self._selector.select(_TICK_SECONDS):
            if key.data is None:
                self._stop(key.fileobj)
            elif key.data in self._senders:
                self._receive(key.data)
        if self._ended == before:
            self._on_records(self._records[before:before], self._kinds.names)
        if time.perf_counter() >= self._stopped_at + KILLED_AFTER_SECONDS:
            self._kill_all()

    def _receive(self, sender: _Sender) -> None:
        try:
            for kind, content in sender.channel.receive():
                if kind == channel.RECORDS:
                    records = np.frombuffer(content, RECORD).copy()
                    records["failure"] = np.array(sender.kinds, np.uint8)[records["failure"]]
                    self._add(records)
                elif kind == channel.KIND:
                    sender.kinds.append(self._kinds.number(content.decode()))
                elif kind == channel.READY:
                    sender.ready = True
                elif kind == channel.END:
                    self._peak_mb += channel.DOUBLE.unpack(content)[0]
                    sender.done = True
        except Closed:
            self._reap(sender)
            self._senders.remove(sender)
            if not sender.done:
                self._lost.append(sender.share)
                self._count_lost()

    def _reap(self, sender: _Sender) -> None:
        self._selector.unregister(sender.channel)
        sender.channel.close()
        sender.process.join()
        sender.process.close()

    def _stop(self, signal_socket: object) -> None:
        assert isinstance(signal_socket, socket.socket)
        number = signal_socket.recv(1)[0]
        if self._stopped_by is None:
            self._stopped_by = number
            self._stopped_at = time.perf_counter()
            for sender in self._senders:
                self._tell(sender, channel.STOP)
        else:
            self._kill_all()

    def _kill_all(self) -> None:
        """Kill the senders, and collect what they have sent."""
        for sender in list(self._senders):
            sender.process.kill()
            sender.process.join()
            while sender in self._senders:
                self._receive(sender)

    # Records

    def _add(self, records: Records) -> None:
        before, self._ended = self._ended, self._ended + len(records)
        self._records[before : self._ended] = records
        self._reported[records["request"]] = True
        self._on_records(self._records[before : self._ended], self._kinds.names)

    def _count_lost(self) -> None:
        """Add the requests of senders that ended early, once the run has started."""
        if self._start == math.inf or not self._lost:
            return
        lost = np.concatenate(
            [
                np.flatnonzero(~self._reported[share :: self._count]) * self._count + share
                for share in self._lost
            ]
        )
        due = self._schedule.due[lost]
        if self._stopped_by is not None:
            was_due = due <= self._stopped_at - self._start
            lost, due = lost[was_due], due[was_due]
        if not len(lost):
            return
        records = np.zeros(len(lost), RECORD)
        for name in ("connected", "sent", "first_byte", "queue", "decode", "infer"):
            records[name] = math.nan
        records["request"] = lost
        records["due"] = records["started"] = due
        records["ended"] = np.maximum(due, time.perf_counter() - self._start)
        kind = PROCESS_KILLED if self._stopped_by is None else IN_FLIGHT
        records["failure"] = self._kinds.number(kind)
        self._add(records)

    def _in_order(self) -> Records:
        """The records in the order in which requests ended. One field at a time: a copy of all
        would take twice the memory."""
        records = self._records[: self._ended]
        order = np.argsort(records["ended"], kind="stable")
        for name in RECORD.names or ():
            records[name] = records[name][order]
        return records


def _run_sender(end: Channel, job: Job, others: Sequence[Channel]) -> None:
    for other in others:
        other.close()
    run_sender(end, job)


def _cpu_seconds() -> float:
    """User and system time of this process and of those that it has reaped."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _raise_file_limit(at_once: int, senders: int) -> None:
    """Allow as many open files as possible. Raises `UsageError` if that is not enough for the
    requests that are due at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = math.inf if hard == resource.RLIM_INFINITY else senders * max(0, hard - _SPARE_FILES)
    if at_once > most:
        raise UsageError(
            f"At most {most:,.0f} requests can be due at the same time, as each of {senders} "
            f"processes may open {hard:,} files (ulimit -Hn); this run has {at_once:,}."
        )
    if soft != hard:
        wanted = hard if hard != resource.RLIM_INFINITY else 65536
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
