"""The models on processors of other kinds: how many photos have the same logits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.common.markdown import table
from local.docs.measurements import MEASURED, where

Figures = Mapping[str, Any]


def every_cpu_table() -> str:
    """A row for each processor."""
    figures = json.loads((MEASURED / "every-cpu.json").read_text("utf-8"))
    text = table(header(figures), rows(figures), numbers_from=1)
    return f"{text}\n\n{note(figures)} {where(figures)}."


def header(figures: Figures) -> Sequence[str]:
    """The columns of `rows`."""
    return ("processor", *(f"`{name}`" for name in figures["models"]), "FP32: largest difference")


def rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    """The cells of each processor in `figures`, the content of docs/measured/every-cpu.json."""
    for each in figures["processors"]:
        yield (
            each["processor"],
            *(
                f"{each['models'][name]['identical']} of {figures['photos']}"
                for name in figures["models"]
            ),
            f"{each['float_difference']:.6f}" if each["float_difference"] else "0",
        )


def note(figures: Figures) -> str:
    """What the cells are, and whether every input was rounded alike."""
    pairs = sum(model["pairs"] for model in figures["models"].values())
    sums = sum(model["sums"] for model in figures["models"].values())
    different = sum(
        model["different_inputs"]
        for each in figures["processors"]
        for model in each["models"].values()
    )
    return (
        f"Photos whose {figures['logits']:,} INT8 logits are bit for bit those of "
        f"{figures['machine']['cpu']}; the processors of the table are emulated by QEMU. Of the "
        f"{pairs:,} pairs of inputs of Adds and {sums:,} sums of the average poolings, "
        f"{different or 'none'} {'are' if different > 1 else 'is'} rounded differently. FP32: of a "
        "logit of `efficientnet-lite0`."
    )
