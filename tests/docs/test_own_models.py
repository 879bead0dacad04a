"""The table of the precision that the build chose for small networks."""

from typing import Any

from local.docs.own_models import header, notes, rows


def network(served: str, **more: Any) -> dict[str, Any]:
    return {
        "network": "plain",
        "correct": {"float": 0.9, "served": 0.89, "int8": 0.5},
        "agreement": {"served": 0.98, "int8": 0.55},
        "served": served,
        "reason": None,
        "float_layers": [],
        "float_multiplications": 0.0,
        "held_out_agreement": [{"float_layers": 0, "agreement": 0.975}],
        "ms": {"float": 2.0, "served": 1.0},
        "bytes": {"float": 4_000_000, "served": 1_000_000},
        **more,
    }


def test_row_has_a_cell_for_each_column() -> None:
    (row,) = rows({"networks": [network("int8")]})
    assert len(row) == len(header())
    assert row[1:6] == ("90.0%", "50.0%", "89.0%", "55.0%", "98.0%")
    assert row[6:] == ("2.00", "1.00", "4.00", "1.00", "INT8")


def test_network_that_was_not_quantized_has_no_figures_of_int8() -> None:
    figures = network("float", correct={"float": 0.9, "served": 0.9}, agreement={"served": 1.0})
    (row,) = rows({"networks": [figures]})
    assert (row[2], row[4]) == ("", "")
    assert row[-1] == "the float model"


def test_notes_say_which_layers_are_floats_and_why() -> None:
    tries = [{"float_layers": 0, "agreement": 0.5}, {"float_layers": 2, "agreement": 0.98}]
    mixed = network("mixed", float_layers=["a", "b"], held_out_agreement=tries)
    reference = network("float", reason="INT8 agrees less", held_out_agreement=tries[:1])
    assert list(notes({"networks": [network("int8"), mixed, reference]})) == [
        "plain: 50.0% with no layers in float, 98.0% with 2 layers in float. In float: `a`, `b`.",
        "plain: 50.0% with no layers in float. INT8 agrees less.",
    ]
