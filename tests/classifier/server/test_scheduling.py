"""The scheduling of threads that compute."""

import os
import platform
import sys
import threading

import pytest

from classifier.server.scheduling import mark_compute_thread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's scheduler")


def policy_after_marking(machine: str = "", nicer: int = 0) -> tuple[bool, int, int]:
    """In a new thread, first made `nicer`: whether the slice was taken, the policy, and the
    niceness."""
    found: list[tuple[bool, int, int]] = []

    def compute() -> None:
        os.nice(nicer)  # of this thread alone
        taken = mark_compute_thread(machine)
        found.append((taken, os.sched_getscheduler(0), os.nice(0)))

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    return found[0]


def test_compute_threads_are_batch_threads_with_a_long_slice() -> None:
    taken, policy, niceness = policy_after_marking()
    assert policy == os.SCHED_BATCH
    assert niceness == os.nice(0)
    assert taken == (platform.machine() in ("x86_64", "aarch64"))


def test_compute_threads_keep_their_niceness() -> None:
    taken, _, niceness = policy_after_marking(nicer=3)
    assert niceness == min(os.nice(0) + 3, 19)  # 19 is the highest
    assert taken == (platform.machine() in ("x86_64", "aarch64"))


def test_unknown_machine_has_the_policy_alone() -> None:
    assert policy_after_marking("riscv64")[:2] == (False, os.SCHED_BATCH)


def test_other_threads_keep_their_policy() -> None:
    before = os.sched_getscheduler(0)
    policy_after_marking()
    assert os.sched_getscheduler(0) == before
