"""Folders and files of the repository."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FUNCTION: Final = ROOT / "function"
SHIPPED_MODEL: Final = FUNCTION / "model"
FLOAT_MODEL: Final = ROOT / "build" / "fp32.onnx"
DEFAULT_NETWORK: Final = "efficientnet-lite0"
"""The network of `SHIPPED_MODEL` and `FLOAT_MODEL`."""
NETWORKS: Final = (DEFAULT_NETWORK, "efficientnet-lite1", "efficientnet-lite2")
"""The networks with a model in the repository; the others than the default have folders of their
names in function/models."""
SAMPLE: Final = ROOT / "local" / "sample.jpg"


def shipped_model(network: str) -> Path:
    """The folder of the INT8 model of `network`."""
    return SHIPPED_MODEL if network == DEFAULT_NETWORK else FUNCTION / "models" / network


def float_model(network: str) -> Path:
    """The file of the float model of `network`, which is not in the repository."""
    default = network == DEFAULT_NETWORK
    return FLOAT_MODEL if default else FLOAT_MODEL.with_name(f"{network}-fp32.onnx")


def own_float_model(folder: Path) -> Path:
    """The file of the float model of a user's network, whose served model is in `folder`."""
    return FLOAT_MODEL.parent / "own" / f"{folder.resolve().name}.onnx"
