"""A float network with all that its build needs."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx

from classifier.artifact import Label
from classifier.images import Resize
from local.models.graph.service_io import Activation, Normalization


@dataclass(frozen=True)
class Source:
    """A float network with its labels and preprocessing; file: the user's, if there is one."""

    name: str
    network: onnx.ModelProto
    labels: list[Label]
    normalization: Normalization
    interpolation: str
    description: dict[str, str]
    licence: str | None
    activation: Activation = "softmax"
    crop_fraction: float = 0.875
    resize: Resize = "crop"
    report: tuple[str, ...] = ()
    """Lines that say which values were taken, and from where."""
    file: Path | None = None


def sha256(content: bytes) -> str:
    """In hexadecimal, as the card states it."""
    return hashlib.sha256(content).hexdigest()
