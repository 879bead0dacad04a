"""Small networks of many kinds: what the build chose for each, and what that costs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.common.markdown import table
from local.docs.measurements import MEASURED, where

Figures = Mapping[str, Any]


def own_models_table() -> str:
    """A row for each network, and why some have layers in float."""
    figures = json.loads((MEASURED / "own-models.json").read_text("utf-8"))
    text = table(header(), rows(figures), numbers_from=1)
    made = (
        f"{where(figures)}, load {figures['machine']['load']:.0f}; {figures['test_photos']} "
        f"synthetic photos that the build did not use, `--min-agreement "
        f"{figures['min_agreement']:g}`, one thread."
    )
    return "\n\n".join([text, "\n".join(f"- {line}" for line in notes(figures)), made])


def header() -> Sequence[str]:
    """The columns of `rows`."""
    return (
        *("network", "correct: float", "INT8", "served", "agrees: INT8", "served"),
        *("ms: float", "served", "MB: float", "served", "the build serves"),
    )


def rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    """The cells of each network in `figures`, the content of docs/measured/own-models.json."""
    for each in figures["networks"]:
        correct, agreement = each["correct"], each["agreement"]
        yield (
            each["network"],
            *(_percent(correct.get(what)) for what in ("float", "int8", "served")),
            *(_percent(agreement.get(what)) for what in ("int8", "served")),
            *(f"{each['ms'][what]:.2f}" for what in ("float", "served")),
            *(f"{each['bytes'][what] / 1e6:.2f}" for what in ("float", "served")),
            _served(each),
        )


def notes(figures: Figures) -> Iterator[str]:
    """A line for each network that is not INT8 throughout."""
    for each in figures["networks"]:
        tries = ", ".join(
            f"{found['agreement']:.1%} with {_layers(found['float_layers'])} in float"
            for found in each["held_out_agreement"]
        )
        if each["served"] == "mixed":
            layers = ", ".join(f"`{name}`" for name in each["float_layers"])
            yield f"{each['network']}: {tries}. In float: {layers}."
        elif each["served"] == "float":
            yield f"{each['network']}: {tries or 'no INT8'}. {each['reason']}."


def _served(each: Figures) -> str:
    if each["served"] == "mixed":
        number, share = len(each["float_layers"]), each["float_multiplications"]
        return f"INT8, {_layers(number)} in float ({share:.0%} of the work)"
    return "INT8" if each["served"] == "int8" else "the float model"


def _layers(number: int) -> str:
    return f"{number or 'no'} layer{'s' * (number != 1)}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
