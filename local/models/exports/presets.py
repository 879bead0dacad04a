"""Preprocessing by name: that of torchvision's weights and of Keras's applications.

torchvision: `transforms` of the weights in torchvision/models/*.py (0.29), which is
`ImageClassification` in torchvision/transforms/_presets.py: the shorter side becomes resize_size,
then a centre crop of crop_size; pixels 0 to 1; ImageNet's mean and deviation.
Keras: `preprocess_input(mode=...)` in keras/src/applications/imagenet_utils.py, and photos as
`image_dataset_from_directory` reads them: squashed, bilinear.
"""

import argparse
import difflib
from collections.abc import Mapping
from typing import Any, Final

from local.models.exports.export import Stated

_IMAGENET: Final = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "pixel_range": 1}

_TORCHVISION: Final[Mapping[tuple[int, int, str], str]] = {
    (256, 224, "bilinear"): """
        alexnet densenet121 densenet161 densenet169 densenet201 googlenet mnasnet0-5 mnasnet1-0
        mobilenet-v2-v1 mobilenet-v3-large-v1 mobilenet-v3-small regnet-x-400mf-v1 regnet-x-800mf-v1
        regnet-x-1-6gf-v1 regnet-x-3-2gf-v1 regnet-x-8gf-v1 regnet-x-16gf-v1 regnet-x-32gf-v1
        regnet-y-400mf-v1 regnet-y-800mf-v1 regnet-y-1-6gf-v1 regnet-y-3-2gf-v1 regnet-y-8gf-v1
        regnet-y-16gf-v1 regnet-y-32gf-v1 resnet18 resnet34 resnet50-v1 resnet101-v1 resnet152-v1
        resnext50-32x4d-v1 resnext101-32x8d-v1 shufflenet-v2-x0-5 shufflenet-v2-x1-0 squeezenet1-0
        squeezenet1-1 vgg11 vgg11-bn vgg13 vgg13-bn vgg16 vgg16-bn vgg19 vgg19-bn vit-b-16 vit-b-32
        vit-l-32 wide-resnet50-2-v1 wide-resnet101-2-v1""",
    (232, 224, "bilinear"): """
        convnext-base convnext-large mnasnet0-75 mnasnet1-3 mobilenet-v2-v2 mobilenet-v3-large-v2
        regnet-x-400mf-v2 regnet-x-800mf-v2 regnet-x-1-6gf-v2 regnet-x-3-2gf-v2 regnet-x-8gf-v2
        regnet-x-16gf-v2 regnet-x-32gf-v2 regnet-y-400mf-v2 regnet-y-800mf-v2 regnet-y-1-6gf-v2
        regnet-y-3-2gf-v2 regnet-y-8gf-v2 regnet-y-16gf-v2 regnet-y-32gf-v2 resnet50-v2 resnet101-v2
        resnet152-v2 resnext50-32x4d-v2 resnext101-32x8d-v2 resnext101-64x4d shufflenet-v2-x1-5
        shufflenet-v2-x2-0 wide-resnet50-2-v2 wide-resnet101-2-v2""",
    (224, 224, "bicubic"): """
        maxvit-t regnet-y-16gf-swag-linear regnet-y-32gf-swag-linear regnet-y-128gf-swag-linear
        vit-b-16-swag-linear vit-l-16-swag-linear vit-h-14-swag-linear""",
    (230, 224, "bilinear"): "convnext-small",
    (236, 224, "bilinear"): "convnext-tiny",
    (232, 224, "bicubic"): "swin-t",
    (246, 224, "bicubic"): "swin-s",
    (238, 224, "bicubic"): "swin-b",
    (260, 256, "bicubic"): "swin-v2-t swin-v2-s",
    (272, 256, "bicubic"): "swin-v2-b",
    (242, 224, "bilinear"): "vit-l-16",
    (342, 299, "bilinear"): "inception-v3",
    (256, 224, "bicubic"): "efficientnet-b0",
    (256, 240, "bicubic"): "efficientnet-b1-v1",
    (255, 240, "bilinear"): "efficientnet-b1-v2",
    (288, 288, "bicubic"): "efficientnet-b2",
    (320, 300, "bicubic"): "efficientnet-b3",
    (384, 380, "bicubic"): "efficientnet-b4",
    (384, 384, "bicubic"): """
        regnet-y-16gf-swag-e2e regnet-y-32gf-swag-e2e regnet-y-128gf-swag-e2e vit-b-16-swag-e2e""",
    (512, 512, "bicubic"): "vit-l-16-swag-e2e",
    (518, 518, "bicubic"): "vit-h-14-swag-e2e",
    (456, 456, "bicubic"): "efficientnet-b5",
    (528, 528, "bicubic"): "efficientnet-b6",
    (600, 600, "bicubic"): "efficientnet-b7",
    (384, 384, "bilinear"): "efficientnet-v2-s",
    (480, 480, "bilinear"): "efficientnet-v2-m",
    (480, 480, "bicubic"): "efficientnet-v2-l",
}
"""Names of weights by (resize_size, crop_size, interpolation)"""

_KERAS: Final[Mapping[str, dict[str, Any]]] = {
    "caffe": {
        "mean": (123.68, 116.779, 103.939),  # in R, G, B; Keras's list is in B, G, R
        "std": (1.0, 1.0, 1.0),
        "pixel_range": 255,
        "colour": "bgr",
    },
    "tf": {"mean": (127.5,) * 3, "std": (127.5,) * 3, "pixel_range": 255},
    "torch": _IMAGENET,
    "none": {"mean": (0.0,) * 3, "std": (1.0,) * 3, "pixel_range": 255},
}


def _presets() -> dict[str, dict[str, Any]]:
    presets: dict[str, dict[str, Any]] = {}
    for (resized, size, interpolation), names in _TORCHVISION.items():
        geometry = {"size": size, "crop_fraction": size / resized, "resize": "crop"}
        values = {**_IMAGENET, **geometry, "interpolation": interpolation}
        presets |= {f"torchvision-{name}": values for name in names.split()}
    half = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    presets["torchvision-efficientnet-v2-l"] |= half
    geometry = {"crop_fraction": 1.0, "resize": "squash", "interpolation": "bilinear"}
    for mode, values in _KERAS.items():
        presets[f"keras-{mode}"] = {**values, **geometry, "layout": "nhwc"}
    return presets


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = _presets()
"""Values by the name of their option, by the name of the preset"""


def preset_name(text: str) -> str:
    """An option type: a key of `PRESETS`."""
    if text in PRESETS:
        return text
    close = difflib.get_close_matches(text, PRESETS, n=3)
    close += [name for name in PRESETS if name.startswith(text) and name not in close][:3]
    examples = close or ["torchvision-resnet50-v2", "keras-caffe"]
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a preset; similar names are {', '.join(examples)}; see docs/own-model.md"
    )


def preset_values(name: str) -> dict[str, Stated]:
    """The values of a preset."""
    return {option: Stated(value, f"--preset {name}") for option, value in PRESETS[name].items()}
