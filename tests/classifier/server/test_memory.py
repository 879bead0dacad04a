"""The memory budget that a process gives itself."""

import pytest

from classifier.server import memory
from classifier.server.memory import process_budget
from classifier.settings import Settings, SettingsError
from tests.support.server import start_refused

MIB = 2**20


def test_setting_overrides_the_memory_of_the_process() -> None:
    budget = process_budget(Settings(memory_bytes=400 * MIB))
    assert (budget.limit, budget.bodies, budget.largest_image) == (400 * MIB, 100 * MIB, 300 * MIB)


def test_part_of_bodies_is_a_setting() -> None:
    budget = process_budget(Settings(memory_bytes=400 * MIB, max_held_bytes=200 * MIB))
    assert (budget.bodies, budget.largest_image) == (200 * MIB, 200 * MIB)


def test_budget_follows_from_the_memory_that_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda *_: 300 * MIB)
    assert process_budget(Settings()).limit == 300 * MIB


@pytest.mark.parametrize("left", [-20, 0, 63])
def test_container_that_is_too_small_is_refused(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda *_: left * MIB)
    message = f"^{max(left, 0)} MiB of memory are left .* at least 64 MiB are needed"
    with pytest.raises(SettingsError, match=message):
        process_budget(Settings())


def test_share_that_is_too_small_names_the_number_of_processes() -> None:
    message = "^50 MiB .* in each of 3 processes .* reduce WEB_CONCURRENCY.$"
    with pytest.raises(SettingsError, match=message):
        process_budget(Settings(memory_bytes=150 * MIB).share(3))


def test_bodies_must_leave_memory_for_images() -> None:
    with pytest.raises(SettingsError, match="MAX_HELD_BYTES must leave 32 MiB for images"):
        process_budget(Settings(memory_bytes=128 * MIB, max_held_bytes=100 * MIB))


def test_too_little_memory_refuses_to_start() -> None:
    assert "at least 64 MiB are needed" in start_refused(MEMORY_BYTES="1000000")
