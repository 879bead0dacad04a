"""The command that compares the capacity that is found with the truth."""

from tests.measure.capacity_truth import targets
from tests.support.capacities import MODELS, capacity
from tests.support.scripts import script


def test_help_lists_the_options() -> None:
    done = script("-m", "tests.measure.capacity_truth", "--help")
    assert done.returncode == 0
    for option in ("--quick", "--repeat", "--gross"):
        assert option in done.stdout


def test_every_search_counts_and_not_the_median() -> None:
    chosen = targets(list(MODELS))
    assert len({target.name for target in chosen}) == 2 * len(MODELS)
    assert all(target.every for target in chosen)


def test_models_have_the_stated_capacity() -> None:
    assert [round(capacity(model), 1) for model in MODELS.values()] == [142.9, 150.0, 161.3]
