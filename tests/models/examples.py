"""Networks of the six kinds that can classify the synthetic photos, and the photos' classes."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from local.models.sources.import_onnx import GivenActivation, import_onnx
from local.models.sources.source import Source
from tests.models.architectures import KINDS, fitted, normalization, plain
from tests.models.shapes import SHAPES, pixels_of

WIDTHS: Final = {
    "depthwise": 16,
    "residual": 16,
    "hard-swish and squeeze-excite": 16,
    "vision transformer": 48,
    "one logit": 24,
    "multi-label": 24,
    "plain": 16,
}
"""Channels of the first layer. With more, the last layer separates the classes better."""


class Labelled(NamedTuple):
    """pixels: uint8 [N, size, size, 3]; targets: which outputs are positive, bool [N, outputs]."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.bool_]

    @property
    def truth(self) -> NDArray[np.float32]:
        """What a perfect model answers, [N, classes]; one output stands for two classes."""
        if self.targets.shape[1] > 1:
            return self.targets.astype(np.float32)
        return np.concatenate([~self.targets, self.targets], 1).astype(np.float32)


def photos_for(kind: str, count: int, size: int, seed: int = 0) -> Labelled:
    """`count` photos with the classes of a kind of network.

    The multi-label network finds the colours of two shapes, the one of one logit the bars; the
    others have a class for each colour and shape.
    """
    pixels, shown = pixels_of(count, size, seed, shapes=2 if kind == "multi-label" else 1)
    by_colour = shown.reshape(count, -1, len(SHAPES))
    if kind == "multi-label":
        return Labelled(pixels, np.logical_or.reduce(by_colour, 2))
    if kind == "one logit":
        return Labelled(pixels, np.logical_or.reduce(by_colour, 1)[:, 1:])
    return Labelled(pixels, shown)


def network_of(kind: str, photos: Labelled, scale: int = 1) -> onnx.ModelProto:
    """A network of the kind, fitted to photos and `scale` times as wide as `WIDTHS` states."""
    size, outputs = photos.pixels.shape[1], photos.targets.shape[1]
    build = KINDS.get(kind, plain)
    return fitted(build(size, outputs, scale * WIDTHS[kind]), *photos)


def source_of(model: onnx.ModelProto, size: int, folder: Path, kind: str = "") -> Source:
    """The network as the build reads it, from an ONNX file that is written to `folder`."""
    onnx.save(model, folder / "net.onnx")
    activation: GivenActivation = "sigmoid" if kind == "multi-label" else "auto"
    network, found = import_onnx(folder / "net.onnx", normalization(size), activation)
    return Source("net-int8", network, [], normalization(size), "bicubic", {}, None, found)
