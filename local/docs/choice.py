"""The models of the repository beside each other: accuracy, speed, size and cost."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.common.markdown import table
from local.common.paths import NETWORKS, shipped_model
from local.docs.cost import STEADY, steady_cost
from local.docs.measurements import models, where
from local.simulation import aws_figures

_HEADER: Final = (
    *("model", "pixels", "MB", "top-1, FP32", "INT8", "agreement"),
    *("ms, one thread", "cold start ms", "warm ms", "USD per million"),
)


def choice_table() -> str:
    """A row for each model, from the cards and from docs/measured/models.json."""
    figures = models()
    photos = _card(NETWORKS[0])["evaluation"]
    note = (
        f"Accuracy on {photos['photos']} photos, the same for all, with a standard error of 2 "
        "points: agreement shows the effect of quantization better. "
        f"{where(figures)}. Cold start, warm requests and cost are those of the container with "
        f"{figures['memory_mb']} MB; cost as in [AWS](aws.md#cost): {STEADY.parallel} requests at "
        f"once every second for an hour, list prices of {aws_figures.REGION}."
    )
    return f"{table(_HEADER, choice_rows(figures), numbers_from=1)}\n\n{note}"


def choice_rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The cells of each model in `figures`, the content of docs/measured/models.json."""
    for network, measured in figures["models"].items():
        card = _card(network)
        found = card["evaluation"]
        cost = steady_cost(figures["memory_mb"], measured["cold_ms"], measured["warm_ms"])
        yield (
            f"`{network}`",
            str(card["preprocessing"]["size"]),
            f"{card['bytes'] / 1e6:.1f}",
            f"{found['fp32']['top1']:.1%}",
            f"{found['int8']['top1']:.1%}",
            f"{found['agreement']:.1%}",
            f"{measured['inference_ms']:.1f}",
            f"{measured['cold_ms']:.0f}",
            f"{measured['warm_ms']:.1f}",
            f"{cost:.2f}",
        )


def _card(network: str) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(
        (shipped_model(network) / "model.json").read_text("utf-8")
    )
    return content
