"""A float network with all that its build needs."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx

from classifier.artifact import Label
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
    file: Path | None = None


def sha256(content: bytes) -> str:
    """In hexadecimal, as the card states it."""
    return hashlib.sha256(content).hexdigest()
