"""A process that sends requests of one wave."""

import gc
import os
import time
from multiprocessing.connection import Connection
from typing import Final

from local.loadtest.client import signals
from local.loadtest.client.sender import WaveSender
from local.loadtest.result import RequestResult

READY: Final = "ready"
DONE: Final = "done"
STOP: Final = "stop"

_REPORT_SECONDS: Final = 0.1
"""Interval between reports of results; reporting more often would disturb the measurement."""

_ORPHAN_SECONDS: Final = 1.0
_COARSE_SECONDS: Final = 0.002
"""Selectors round timeouts up to a millisecond; `sleep` does not."""


def run_wave(channel: Connection, sender: WaveSender) -> None:
    """Send `READY`, receive when the wave is due (seconds of `time.perf_counter`), send it, report
    lists of `RequestResult`, then `DONE`. `STOP` ends it early."""
    signals.reset_in_child()
    parent = os.getppid()
    sender.prepare()
    gc.freeze()
    gc.disable()
    channel.send(READY)
    intended = _wait_until_due(channel, parent)
    if intended is not None:
        _send_wave(channel, sender, intended, parent)
    channel.send(DONE)
    channel.close()


def _wait_until_due(channel: Connection, parent: int) -> float | None:
    """Sleep until the wave is due and return that time; None if the run was stopped."""
    intended = float("inf")
    while True:
        left = intended - time.perf_counter()
        if left <= _COARSE_SECONDS:
            time.sleep(max(0.0, left))
            return intended
        if channel.poll(min(left - _COARSE_SECONDS / 2, _ORPHAN_SECONDS)):
            order = channel.recv()
            if order == STOP:
                return None
            intended = order
        _end_if_orphan(parent)


def _send_wave(channel: Connection, sender: WaveSender, intended: float, parent: int) -> None:
    sender.wake_on(channel.fileno())
    finished = sender.send(intended)
    reported = time.perf_counter()
    while sender.in_flight:
        finished += sender.poll(_REPORT_SECONDS if finished else _ORPHAN_SECONDS)
        if sender.woken:
            finished += sender.stop()
        elif time.perf_counter() - reported >= _REPORT_SECONDS:
            finished = _report(channel, finished)
            reported = time.perf_counter()
            _end_if_orphan(parent)
    _report(channel, finished)


def _report(channel: Connection, finished: list[RequestResult]) -> list[RequestResult]:
    if finished:
        channel.send([tuple(result) for result in finished])
    return []


def _end_if_orphan(parent: int) -> None:
    if os.getppid() != parent:
        os._exit(1)
