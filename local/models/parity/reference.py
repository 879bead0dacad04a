"""The user's own file and preprocessing, as torchvision and timm do it: no code of the service.

An independent second implementation, so that an error in one of the two shows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.inliner import inline_local_functions
from PIL import Image, ImageOps, UnidentifiedImageError

from local.models.graph.service_io import Activation, Normalization
from local.models.photos import Preprocessing
from local.models.sources.import_onnx import final_activation

_FILTERS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_TYPES: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Settings:
    """All that the user says about a network; its file does not contain it."""

    preprocessing: Preprocessing
    normalization: Normalization
    activation: Activation


class Network:
    """An ONNX file of the user's, unchanged."""

    def __init__(self, path: Path) -> None:
        """path: a file that `import_onnx` accepts."""
        model = inline_local_functions(onnx.load(path))
        self._ends_in_activation = final_activation(model.graph) is not None
        self._session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        (source,) = self._session.get_inputs()
        self._input, self._type = source.name, _TYPES[source.type]

    @property
    def half(self) -> bool:
        """Whether its numbers are float16."""
        return self._type == np.float16

    def probabilities(self, pixels: NDArray[np.uint8], settings: Settings) -> NDArray[np.float64]:
        """pixels [N, size, size, 3] -> [N, classes], one photo at a time; one output becomes two
        classes."""
        return np.stack([self._one(photo, settings) for photo in pixels])

    def _one(self, pixels: NDArray[np.uint8], settings: Settings) -> NDArray[np.float64]:
        normalization = settings.normalization
        floats = (pixels.astype(np.float64) - normalization.mean) / normalization.std
        if normalization.colour == "bgr":
            floats = floats[:, :, [2, 1, 0]]
        if normalization.layout == "nchw":
            floats = np.moveaxis(floats, -1, 0)
        (output,) = self._session.run(None, {self._input: floats[np.newaxis].astype(self._type)})
        raw = output.ravel().astype(np.float64)
        kept = self._ends_in_activation or settings.activation == "none"
        ends = raw if kept else _ACTIVATIONS[settings.activation](raw)
        return np.array([1 - ends[0], ends[0]]) if ends.size == 1 else ends


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((1 + np.tanh(logits / 2)) / 2)  # without an overflow


_ACTIVATIONS: Final[dict[str, Any]] = {"softmax": _softmax, "sigmoid": _sigmoid}


def own_pixels(photo: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """uint8 [size, size, 3], RGB.

    timm's transforms (timm.data.transforms_factory): resize the shorter side, or with squash both,
    to floor(size / crop_fraction), and crop the centre; lengths and offsets are rounded as in
    torchvision.transforms.functional, `resize` and `center_crop`. Raises Pillow's errors.
    """
    size = preprocessing.size
    with Image.open(photo) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    edge = math.floor(size / preprocessing.crop_fraction)
    short = min(upright.size)
    width, height = (int(edge * length / short) for length in upright.size)
    if preprocessing.resize == "squash":
        width, height = edge, edge
    resized = upright.resize((width, height), _FILTERS[preprocessing.interpolation])
    left, top = round((width - size) / 2), round((height - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def readable(photos: Sequence[Path]) -> list[int]:
    """The indices of the photos that Pillow opens; the service reads further formats."""
    return [index for index, photo in enumerate(photos) if _opens(photo)]


def _opens(photo: Path) -> bool:
    try:
        with Image.open(photo):
            return True
    except UnidentifiedImageError:
        return False
