"""Other settings that a network may have been trained with, and the options that say so."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from classifier.images import Resize
from local.models.graph.service_io import Colour, Normalization
from local.models.parity.reference import Settings
from local.models.photos import Preprocessing

_Three = tuple[float, float, float]


class Alternative(NamedTuple):
    """Settings, and the options for them that differ from the stated ones."""

    options: str
    settings: Settings

    @property
    def names(self) -> str:
        """The names of the options, for a sentence."""
        names = [word for word in self.options.split() if word.startswith("--")]
        return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


_CONVENTIONS: Final[dict[str, tuple[_Three, _Three]]] = {
    # torchvision.models and most of timm: IMAGENET_DEFAULT_MEAN and _STD of timm.data.constants
    "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --pixel-range 1": (
        (123.675, 116.28, 103.53),
        (58.395, 57.12, 57.375),
    ),
    # -1 to 1: Inception, ViT and MobileNet; tf.keras.applications.imagenet_utils, mode "tf"
    "--mean 0.5 --std 0.5 --pixel-range 1": ((127.5,) * 3, (127.5,) * 3),
    # 0 to 1: torchvision.transforms.ToTensor, Ultralytics
    "--mean 0 --std 1 --pixel-range 1": ((0.0,) * 3, (255.0,) * 3),
    # 0 to 255: networks that normalize their input, as Keras' EfficientNet
    "--mean 0 --std 1 --pixel-range 255": ((0.0,) * 3, (1.0,) * 3),
    # Caffe's VGG and ResNet; tf.keras.applications.imagenet_utils, mode "caffe"
    "--mean 123.68,116.779,103.939 --std 1 --pixel-range 255": (
        (123.68, 116.779, 103.939),
        (1.0,) * 3,
    ),
}
"""mean and std of pixels of 0 to 255, in the order R, G, B"""

_CROPS: Final[dict[str, tuple[Resize, float]]] = {
    "--resize crop --crop-fraction 0.875": ("crop", 0.875),
    "--resize crop --crop-fraction 1": ("crop", 1.0),
    "--resize squash --crop-fraction 1": ("squash", 1.0),
}


def other_normalizations(stated: Settings) -> Iterator[Alternative]:
    """With another order of the channels, another mean and deviation, and both; the smallest
    changes first."""
    normalization = stated.normalization
    other: Colour = "rgb" if normalization.colour == "bgr" else "bgr"
    swapped = replace(normalization, colour=other)
    changed = [
        (options, mean, std)
        for options, (mean, std) in _CONVENTIONS.items()
        if not _close(normalization, mean, std)
    ]
    found = [(f"--colour {other}", swapped)]
    found += [
        (options, replace(normalization, mean=mean, std=std)) for options, mean, std in changed
    ]
    found += [
        (f"--colour {other} {options}", replace(swapped, mean=mean, std=std))
        for options, mean, std in changed
    ]
    for options, normalized in found:
        yield Alternative(options, replace(stated, normalization=normalized))


def other_crops(stated: Settings) -> Iterator[Alternative]:
    """With another part of the photo."""
    kept = stated.preprocessing
    for options, (resize, fraction) in _CROPS.items():
        if (resize, fraction) != (kept.resize, kept.crop_fraction):
            crop = Preprocessing(kept.size, fraction, kept.interpolation, resize)
            yield Alternative(options, replace(stated, preprocessing=crop))


def other_activations(stated: Settings) -> Iterator[Alternative]:
    """With another activation of the output."""
    for activation in ("softmax", "sigmoid", "none"):
        if activation != stated.activation:
            settings = replace(stated, activation=activation)
            yield Alternative(f"--activation {activation}", settings)


def _close(normalization: Normalization, mean: _Three, std: _Three) -> bool:
    """To a hundredth of a pixel value: rounded means are the same."""
    return bool(
        np.allclose(normalization.mean, mean, atol=0.01)
        and np.allclose(normalization.std, std, atol=0.01)
    )
