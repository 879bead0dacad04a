"""The set of numbers that occurred before."""

import random

from local.completion.seen import Seen


def test_agrees_with_a_set() -> None:
    chance = random.Random(1)
    seen, truth, other = Seen(), set[int](), Seen()
    for _ in range(60):
        numbers = [chance.randrange(-3000, 3000) for _ in range(chance.randrange(200))]
        assert seen.contains(numbers).tolist() == [number in truth for number in numbers]
        expected = [
            number not in truth and number not in numbers[:place]
            for place, number in enumerate(numbers)
        ]
        assert seen.add(numbers).tolist() == expected
        truth |= set(numbers)
        assert len(seen) == len(truth)
        if chance.random() < 0.2:
            other.update(seen)
            other.add([5000])
            assert len(other) == len(truth) + 1


def test_numbers_of_64_bits() -> None:
    seen = Seen()
    assert seen.add([2**63 - 1, -(2**63), 0, 0]).tolist() == [True, True, True, False]
    assert seen.contains([-(2**63), 1]).tolist() == [True, False]
