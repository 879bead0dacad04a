"""The memory that images and request bodies share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from classifier.errors import TooManyUploads, TooMuchMemory
from classifier.images import MemoryBudget
from tests.support.wait import HANG_SECONDS, wait_until

MIB = 2**20


@pytest.fixture
def budget() -> MemoryBudget:
    return MemoryBudget(100 * MIB, bodies=25 * MIB)


@contextmanager
def waiting_thread(run: Callable[[], None], budget: MemoryBudget, size: int) -> Iterator[None]:
    """A thread that calls `run` with `size` bytes reserved; it waits for them when the block
    begins, and has ended when the block has."""

    def reserve() -> None:
        with budget.reserve(size):
            run()

    waiting = budget.waiting
    thread = threading.Thread(target=reserve)
    thread.start()
    wait_until(lambda: budget.waiting == waiting + 1, "a waiting image")
    yield
    thread.join(HANG_SECONDS)
    assert not thread.is_alive()


def test_default_part_of_bodies_is_a_quarter() -> None:
    budget = MemoryBudget(100 * MIB)
    assert (budget.bodies, budget.largest_image) == (25 * MIB, 75 * MIB)


def test_image_that_never_fits_is_refused(budget: MemoryBudget) -> None:
    with budget.reserve(75 * MIB):
        pass
    message = "takes 76 MiB of memory; this deployment has 75 MiB"
    with pytest.raises(TooMuchMemory, match=message), budget.reserve(75 * MIB + 1 * MIB):
        pass


def test_image_waits_until_its_memory_is_free(budget: MemoryBudget) -> None:
    done: list[str] = []
    with ExitStack() as threads:
        with budget.reserve(60 * MIB):
            threads.enter_context(waiting_thread(lambda: done.append("b"), budget, 60 * MIB))
            done.append("a")
        threads.close()
    assert done == ["a", "b"]


def test_small_image_does_not_overtake_a_large_one(budget: MemoryBudget) -> None:
    """There is room for the small image all the time, but the large one came first."""
    done: list[str] = []
    with ExitStack() as threads:
        with budget.reserve(60 * MIB):
            threads.enter_context(waiting_thread(lambda: done.append("large"), budget, 75 * MIB))
            threads.enter_context(waiting_thread(lambda: done.append("small"), budget, 30 * MIB))
            assert done == []
        threads.close()
    assert done == ["large", "small"]


def test_waiting_images_that_fit_together_start_together(budget: MemoryBudget) -> None:
    both = threading.Barrier(2)

    def meet() -> None:
        both.wait(HANG_SECONDS)

    with ExitStack() as threads:
        with budget.reserve(75 * MIB):
            for _ in range(2):
                threads.enter_context(waiting_thread(meet, budget, 40 * MIB))
        threads.close()


def test_error_while_decoding_gives_the_memory_back(budget: MemoryBudget) -> None:
    with pytest.raises(ValueError, match="damaged"), budget.reserve(75 * MIB):
        raise ValueError("damaged")
    with budget.reserve(75 * MIB):
        pass


def test_bodies_take_no_more_than_their_part(budget: MemoryBudget) -> None:
    budget.take_body(25 * MIB)
    assert not budget.has_room(1)
    with pytest.raises(TooManyUploads):
        budget.take_body(1)
    budget.give_back_body(25 * MIB)  # the refused byte was not taken
    assert budget.has_room(25 * MIB)
    assert not budget.has_room(25 * MIB + 1)


def test_largest_image_finds_room_beside_all_bodies(budget: MemoryBudget) -> None:
    budget.take_body(25 * MIB)
    with budget.reserve(75 * MIB):
        assert budget.waiting == 0


def test_images_use_the_memory_that_bodies_leave(budget: MemoryBudget) -> None:
    with budget.reserve(50 * MIB), budget.reserve(50 * MIB):
        assert not budget.has_room(1)
        with pytest.raises(TooManyUploads):
            budget.take_body(1)
    assert budget.has_room(25 * MIB)


def test_finished_body_lets_a_waiting_image_start(budget: MemoryBudget) -> None:
    budget.take_body(25 * MIB)
    with budget.reserve(40 * MIB), ExitStack() as threads:
        threads.enter_context(waiting_thread(lambda: None, budget, 60 * MIB))
        budget.give_back_body(25 * MIB)
        threads.close()
