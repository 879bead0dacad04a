"""The table of processors with the same logits."""

from typing import Any

from local.docs.every_cpu import header, note, rows


def figures(different: int = 0) -> dict[str, Any]:
    models = {name: {"pairs": 131072, "sums": 100} for name in ("small", "large")}
    compared = {
        "small": {"identical": 24, "different_inputs": different},
        "large": {"identical": 23, "different_inputs": 0},
    }
    one = {"processor": "arm64", "models": compared, "float_difference": 5.7e-6}
    machine = {"cpu": "AMD EPYC (AVX2)", "cores": 2}
    return {"machine": machine, "photos": 24, "logits": 1000, "models": models, "processors": [one]}


def test_row_has_a_cell_for_each_column() -> None:
    (row,) = rows(figures())
    assert len(row) == len(header(figures()))
    assert row == ("arm64", "24 of 24", "23 of 24", "0.000006")


def test_note_counts_the_inputs_of_all_models() -> None:
    assert "Of the 262,144 pairs" in note(figures())
    assert "and 200 sums of the average poolings, none is rounded differently" in note(figures())


def test_note_says_how_many_inputs_differ() -> None:
    assert "poolings, 1 is rounded differently" in note(figures(1))
    assert "poolings, 3 are rounded differently" in note(figures(3))
