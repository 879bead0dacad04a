"""Ultralytics: `yolo export format=onnx` writes the facts to the metadata of the ONNX file.

The keys are those of `Exporter` in ultralytics/engine/exporter.py; each value is Python's `str` of
the value. The preprocessing is `classify_transforms` in ultralytics/data/augment.py: the shorter
side becomes imgsz, bilinear, then a centre crop of imgsz, pixels 0 to 1, no mean or deviation.
The network ends in a softmax.
"""

import ast
from pathlib import Path
from typing import Any, Final

import onnx

from local.models.exports.export import Export, ExportError, Refused, Stated, read_labels_of
from local.models.exports.onnx_file import metadata

_KEYS: Final = {"task", "names", "imgsz"}
_COLOURS: Final = 3
_TRANSFORMS: Final = "classify_transforms of Ultralytics"


def is_ultralytics(model: onnx.ModelProto) -> bool:
    return metadata(model).keys() >= _KEYS


def read_ultralytics(path: Path, model: onnx.ModelProto) -> Export:
    """The export in the file `path`, which holds `model`. Raises `ExportError`."""
    facts = metadata(model)
    where = f"the metadata of {path.name}"
    if facts["task"] != "classify":
        raise ExportError(
            f"{path} is a network for the task {facts['task']!r}. The service classifies: export "
            "one of the task classify, such as yolo11n-cls."
        )
    if _literal(facts, "channels", where, _COLOURS) != _COLOURS:
        raise ExportError(
            f"{path} takes images of {facts['channels']} channels, and the service's have 3. "
            "Train it with colour images."
        )
    names = f"names in {where}"
    values = {
        "labels": Stated(read_labels_of(_literal(facts, "names", where), names), names),
        "size": Stated(_size(_literal(facts, "imgsz", where), where), f"imgsz in {where}"),
        "mean": Stated((0.0,) * _COLOURS, _TRANSFORMS),
        "std": Stated((1.0,) * _COLOURS, _TRANSFORMS),
        "pixel_range": Stated(1, _TRANSFORMS),
        "crop_fraction": Stated(1.0, _TRANSFORMS),
        "resize": Stated("crop", _TRANSFORMS),
        "interpolation": Stated("bilinear", _TRANSFORMS),
    }
    if facts.get("license"):
        values["license"] = Stated(facts["license"], f"license in {where}")
    return Export(path, values)


def _literal(facts: dict[str, str], key: str, where: str, default: Any = None) -> Any:
    """The value that `str` wrote. Raises `ExportError`."""
    if key not in facts:
        return default
    try:
        return ast.literal_eval(facts[key])
    except (ValueError, SyntaxError) as error:
        raise ExportError(f"{key} in {where} is not readable. Export it again.") from error


def _size(imgsz: Any, where: str) -> int | Refused:
    """imgsz: one number, or [height, width]. Raises `ExportError`."""
    sides = imgsz if isinstance(imgsz, list | tuple) else [imgsz]
    if not sides or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ExportError(f"imgsz in {where} is not a size. Export it again.")
    if len(set(sides)) > 1:
        return Refused(
            f"imgsz in {where} is {imgsz}, and the service's images are square. Export it with "
            "one imgsz."
        )
    return int(sides[0])
