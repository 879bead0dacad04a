"""A separate core for each sender."""

import os
from collections.abc import Iterator

import pytest

from local.loadtest.engine.core import OwnCore

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system does not set the cores of a process"
)


@pytest.fixture
def cores() -> Iterator[list[int]]:
    """The cores of this process, which gets them back."""
    before = os.sched_getaffinity(0)
    yield sorted(before)
    os.sched_setaffinity(0, before)


def test_each_process_holds_another_core_and_gets_all_back(cores: list[int]) -> None:
    for number, core in enumerate(cores):
        own = OwnCore(number, len(cores))
        own.hold()
        assert os.sched_getaffinity(0) == {core}
        own.release()
        assert os.sched_getaffinity(0) == set(cores)


def test_holds_none_if_there_is_not_one_for_each_process(cores: list[int]) -> None:
    own = OwnCore(0, len(cores) + 1)
    own.hold()
    assert os.sched_getaffinity(0) == set(cores)
    own.release()
    assert os.sched_getaffinity(0) == set(cores)
