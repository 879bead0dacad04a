"""Facts of the shipped model, from its card."""

import json
from collections.abc import Mapping
from typing import Any

from local.common.markdown import table
from local.common.paths import ROOT


def card() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads((ROOT / "function/model/model.json").read_text("utf-8"))
    return content


def model_table() -> str:
    """General facts."""
    facts = card()
    source, photos = facts["source"], facts["calibration"]
    size, crop = facts["preprocessing"]["size"], facts["preprocessing"]["crop_fraction"]
    return table(
        ("", ""),
        [
            ("name", f"`{facts['name']}`"),
            ("task", f"{facts['task']}, {facts['output']['classes']:,} classes"),
            ("weights", f"`{source['package']}` {source['version']}"),
            ("class names", f"`{source['labels']}`"),
            ("licence", facts["license"]),
            ("file", f"{facts['bytes']:,} bytes, sha256 `{facts['sha256'][:16]}…`"),
            ("input", f"{size} x {size} pixels, uint8 RGB; the centred {crop:g} of the short side"),
            ("activations", facts["quantization"]["activations"]),
            ("weights in INT8", facts["quantization"]["weights"]),
            ("calibrated with", f"{photos['photos']} photos: {photos['selection']}"),
        ],
    )


def accuracy_table() -> str:
    """Accuracy and the photos used to measure it."""
    found = card()["evaluation"]
    latency = found["latency"]
    rows = [
        (
            name.upper(),
            f"{found[name]['top1']:.1%}",
            f"{found[name]['top5']:.1%}",
            f"{latency[f'{name}_ms']:.2f}",
        )
        for name in ("fp32", "int8")
    ]
    text = table(("", "top-1", "top-5", "ms per image, one thread"), rows, numbers_from=1)
    error = 100 * (found["int8"]["top1"] * (1 - found["int8"]["top1"]) / found["photos"]) ** 0.5
    return (
        f"{text}\n\nThe two agree on {found['agreement']:.1%} of the photos. Measured with "
        f"{found['photos']} photos, {found['set']}: {found['selection']}. With so few, top-1 has a "
        f"standard error of {error:.1f} points. "
        f"Speed: {latency['cpu']}."
    )
