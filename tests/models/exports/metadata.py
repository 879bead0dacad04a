"""Networks with the metadata that Ultralytics writes."""

from pathlib import Path
from typing import Any

import onnx

from tests.models.networks import SIZE, small_convolution

FACTS: dict[str, Any] = {
    "description": "Ultralytics YOLO11n-cls model trained on /datasets/animals",
    "author": "Ultralytics",
    "date": "2026-11-02T09:14:27.512113",
    "version": "8.4.190",
    "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    "docs": "https://docs.ultralytics.com",
    "stride": 1,
    "task": "classify",
    "head": "Classify",
    "batch": 1,
    "imgsz": [SIZE, SIZE],
    "names": {0: "ant", 1: "bee's nest", 2: "cat", 3: "dog", 4: "Äffchen"},
    "args": {"batch": 1, "half": False, "dynamic": False, "simplify": True, "opset": None},
    "channels": 3,
    "end2end": False,
}
"""What Exporter in ultralytics/engine/exporter.py writes, each value as `str` of it"""


def ultralytics(path: Path, **facts: Any) -> Path:
    """A network with a softmax and the metadata; a fact that is None is left out."""
    small_convolution(path, ("Softmax", {"axis": 1}))
    model = onnx.load(path)
    given = {**FACTS, **facts}
    texts = {key: str(value) for key, value in given.items() if value is not None}
    onnx.helper.set_model_props(model, texts)
    onnx.save(model, path)
    return path
