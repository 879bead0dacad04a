"""timm: a config.json beside the ONNX file, as `timm.models.save_for_hf` writes it.

The preprocessing is that of `transforms_imagenet_eval` in timm/data/transforms_factory.py, and the
defaults of members that are absent are those of `resolve_data_config` in timm/data/config.py.
"""

import math
from pathlib import Path
from typing import Any, Final

from classifier.images import INTERPOLATIONS
from local.models.exports.export import Export, Refused, Stated, described, read_labels_of
from local.models.exports.members import Members

_DEFAULTS: Final[dict[str, Any]] = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}

_RESIZES: Final = {"center": "crop", "squash": "squash"}
"""The service's name for each crop_mode"""

_COLOURS: Final = 3


def is_timm(config: Members) -> bool:
    """Whether it is timm's, or only timm's `pretrained_cfg`."""
    return "pretrained_cfg" in config or {"input_size", "crop_pct"} <= config.content.keys()


def read_timm(config: Members, onnx: Path) -> Export:
    """The network `onnx` with timm's `config`. Raises `ExportError`."""
    nested = "pretrained_cfg" in config
    stated = config.inner("pretrained_cfg") if nested else config
    with_defaults = {**_DEFAULTS, **{k: v for k, v in stated.content.items() if v is not None}}
    members = Members(with_defaults, config.name, "pretrained_cfg." if nested else "")

    def at(member: str) -> str:
        return members.source(member) if member in stated else f"timm's default {member}"

    size = _size(members)
    if min(members.colours("std")) <= 0:
        raise members.error("std", "more than 0")
    values = {
        "size": Stated(size, at("input_size")),
        "mean": Stated(members.colours("mean"), at("mean")),
        "std": Stated(members.colours("std"), at("std")),
        "pixel_range": Stated(1, "timm's transforms"),
        "interpolation": Stated(_interpolation(members), at("interpolation")),
        "resize": Stated(_resize(members), at("crop_mode")),
        "crop_fraction": Stated(_crop_fraction(members, size), at("crop_pct")),
    }
    for member in ("label_names", "labels"):
        for place in (config, stated):
            if member in place and "labels" not in values:
                labels = read_labels_of(place.value(member), place.source(member))
                descriptions = place.value("label_descriptions") or {}
                values["labels"] = Stated(described(labels, descriptions), place.source(member))
    if "license" in stated:
        values["license"] = Stated(str(stated.value("license")), stated.source("license"))
    return Export(onnx, values)


def _size(members: Members) -> int | Refused:
    shape = members.value("input_size")
    numbers = isinstance(shape, list) and all(isinstance(n, int) and n > 0 for n in shape)
    if not numbers or len(shape) != 1 + 2:
        raise members.error("input_size", "[3, height, width]")
    channels, height, width = shape
    if channels != _COLOURS or height != width:
        return Refused(
            f"{members.source('input_size')} is {shape}, and the service's images are square with "
            "three colours. Export a network for such images."
        )
    return int(height)


def _interpolation(members: Members) -> str | Refused:
    name = members.value("interpolation")
    if name in INTERPOLATIONS:
        return str(name)
    return Refused(
        f"{members.source('interpolation')} is {name}, which the service does not have. Choose the "
        "nearest with --interpolation."
    )


def _resize(members: Members) -> str | Refused:
    mode = members.value("crop_mode")
    return _RESIZES.get(str(mode)) or Refused(
        f"{members.source('crop_mode')} is {mode}, which the service does not have: it adds no "
        "border. Use --resize squash or --resize crop, and compare the accuracy."
    )


def _crop_fraction(members: Members, size: int | Refused) -> float | Refused:
    """timm rounds the side before the crop down."""
    fraction = members.number("crop_pct")
    if fraction > 1:
        return Refused(
            f"{members.source('crop_pct')} is {fraction:g}: timm adds a border, and the service "
            "does not. Use --crop-fraction 1."
        )
    return fraction if isinstance(size, Refused) else size / math.floor(size / fraction)
