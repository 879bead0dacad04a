"""Paths that tests share."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = ROOT / "local" / "sample.jpg"
SHIPPED_MODEL: Final = ROOT / "function" / "model"
SHIPPED_MODELS: Final = (SHIPPED_MODEL, *sorted((ROOT / "function" / "models").glob("*")))
FLOAT_MODEL: Final = ROOT / "build" / "fp32.onnx"
CLIENT_ENVIRONMENTS: Final = ROOT / "build" / "clients"
