"""Folders and files of the repository."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FUNCTION: Final = ROOT / "function"
SHIPPED_MODEL: Final = FUNCTION / "model"
FLOAT_MODEL: Final = ROOT / "build" / "fp32.onnx"
SAMPLE: Final = ROOT / "local" / "sample.jpg"
