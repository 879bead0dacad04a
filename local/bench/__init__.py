"""Measures the service beside what it cannot beat and beside what one would use instead."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FUNCTION: Final = ROOT / "function"
APPS: Final = Path(__file__).resolve().parent / "apps"
FLOAT_MODEL: Final = ROOT / "build" / "fp32.onnx"
