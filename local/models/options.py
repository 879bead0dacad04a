"""Command-line options of build, float_model, temperature and evaluate."""

import argparse
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from classifier.images import INTERPOLATIONS, RESIZES, Resize
from local.common import cli
from local.common.cli import OneLineParser, whole_number
from local.common.paths import (
    DEFAULT_NETWORK,
    NETWORKS,
    ROOT,
    float_model,
    own_float_model,
    shipped_model,
)
from local.models.exports.presets import preset_name
from local.models.photos import SPLITS

Main = Callable[..., None]

SOFTMAX_ACTIVATIONS: Final[Mapping[str, Literal["auto", "none", "softmax"]]] = {
    "auto": "auto",
    "yes": "none",
    "no": "softmax",
}
"""--softmax says whether the model has one, --activation what is missing."""

_LARGEST_SIZE: Final = 4096
"""Of --size, in pixels: some photos of this size fit into memory"""

CROP_FRACTIONS: Final[Mapping[Resize, float]] = {"crop": 0.875, "squash": 1.0}
"""Of --crop-fraction, if it is not given"""


def reporting_errors(main: Main) -> Main:
    """Decorate `main` to end with one line and a status, as in `local.common.cli.main`, if there is
    an error, a closed pipe or Ctrl-C."""

    @functools.wraps(main)
    def reporting(arguments: Sequence[str] | None = None) -> None:
        def command() -> int:
            main(arguments)
            return 0

        try:
            cli.main(command)
        except SystemExit as ended:
            if ended.code:
                raise

    return reporting


def build_parser(description: str | None) -> argparse.ArgumentParser:
    parser = _parser("build", description)
    parser.add_argument(
        "--calibration",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder of photos like those to classify, preferably 100 or more",
    )
    parser.add_argument(
        "--calibration-set",
        default="photos of the builder",
        metavar="TEXT",
        help="a description of these photos, for the card",
    )
    _add_split(parser, "all with --onnx or --from, else calibration")
    parser.add_argument(
        "--min-agreement",
        type=_share,
        default=0.97,
        help="share of equal decisions with the float model, on photos held out, below which "
        "layers stay floats (0.97)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"output folder {_default_help(shipped_model)}",
    )
    _add_network(parser)
    _add_float_model(parser)
    _add_wheels(parser)
    _add_custom_model(parser.add_argument_group("a model of your own"))
    return parser


def float_model_parser(description: str | None) -> argparse.ArgumentParser:
    parser = _parser("float_model", description)
    _add_network(parser)
    _add_float_model(parser)
    _add_wheels(parser)
    return parser


def evaluate_parser(description: str | None) -> argparse.ArgumentParser:
    parser = _parser("evaluate", description)
    _add_labelled_photos(parser)
    _add_float_model(parser)
    parser.add_argument(
        "--update-card", action="store_true", help="write the table to the model card"
    )
    return parser


def temperature_parser(description: str | None) -> argparse.ArgumentParser:
    parser = _parser("temperature", description)
    _add_labelled_photos(parser)
    parser.add_argument(
        "--accuracy",
        type=_accuracy,
        metavar="SHARE",
        help="the top-1 accuracy on photos that the network was not trained on, more than 0 and "
        "less than 1, if these photos are easier: they are weighted to have it",
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the bins of the reliability plot, before and after",
    )
    return parser


def _parser(command: str, description: str | None) -> argparse.ArgumentParser:
    return OneLineParser(
        prog=f"python -m local.models.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_labelled_photos(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        metavar="DIR",
        help="photos named INDEX_WNID_anything, or in folders named by index, WordNet id or label",
    )
    _add_split(parser, "evaluation if the calibration split was used to build, else all")
    _add_network(parser)
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help=f"folder of the served model {_default_help(shipped_model)}",
    )


def set_default_paths(options: argparse.Namespace) -> None:
    """Set --network, and those of --out, --model and --fp32 that are not given, in place."""
    options.network = options.network or DEFAULT_NETWORK
    for name in ("out", "model"):
        if getattr(options, name, "given") is None:
            setattr(options, name, shipped_model(options.network))
    if getattr(options, "fp32", "given") is None:
        options.fp32 = _default_float_model(options)


def _default_float_model(options: argparse.Namespace) -> Path:
    """That of the network, or of a model of the user's by the name of its folder: the benchmark
    reads the network's, and each model is evaluated with its own."""
    network = float_model(options.network)
    folder: Path | None = getattr(options, "out", None) or getattr(options, "model", None)
    if folder is None or folder.resolve() in map(shipped_model, NETWORKS):
        return network
    own = own_float_model(folder)
    is_own = options.onnx or options.export if "onnx" in options else own.is_file()
    return own if is_own else network


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        help=f"the network, which also sets the default paths ({DEFAULT_NETWORK})",
    )


def _add_float_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fp32",
        type=Path,
        metavar="FILE",
        help=f"the float model {_default_help(float_model)[:-1]}; of a model of your own, "
        "build/own/FOLDER.onnx)",
    )


def _add_wheels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="a folder with the packages' wheels (default: download them)",
    )


def _add_split(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="calibration: photos whose class index is divisible by 4; evaluation: the others "
        f"(default: {default})",
    )


def _add_custom_model(group: argparse._ArgumentGroup) -> None:
    """Options without defaults: an export may state their values, see `custom`."""
    group.add_argument(
        "--from",
        dest="export",
        type=Path,
        metavar="EXPORT",
        help="a file or folder that states the options below: ONNX of Ultralytics, or a folder of "
        "Hugging Face's optimum, timm or MLflow",
    )
    group.add_argument(
        "--onnx", type=Path, metavar="FILE", help="the classifier, if not that of --from"
    )
    group.add_argument(
        "--preset",
        type=preset_name,
        metavar="NAME",
        help="the preprocessing of torchvision's weights (torchvision-resnet50-v2, ...) or of a "
        "mode of Keras (keras-caffe, keras-tf, keras-torch, keras-none)",
    )
    group.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="its classes in index order, one per line: `name`, or `WordNet id<TAB>name`; or "
        "imagenet for the 1,000 classes of ImageNet-1k",
    )
    group.add_argument(
        "--name", help="name in the card (default: that of the file or folder, and -int8)"
    )
    group.add_argument("--license", help="the model's licence, for the card")
    group.add_argument(
        "--size",
        type=whole_number(most=_LARGEST_SIZE),
        help="width and height of its input in pixels (that of the ONNX file if fixed, else 224)",
    )
    group.add_argument(
        "--mean",
        type=_three_numbers,
        help="input = (pixel - mean) / std; one number or three, for R,G,B (0)",
    )
    group.add_argument("--std", type=_deviations, help="see --mean (1)")
    group.add_argument(
        "--pixel-range",
        type=int,
        choices=(1, 255),
        help="value of white in the formula of --mean: 1 as in torchvision (mean about 0.45), "
        "or 255 (mean about 115) (1)",
    )
    group.add_argument(
        "--layout",
        choices=("nchw", "nhwc"),
        help="order of its input's dimensions (that of the ONNX file)",
    )
    group.add_argument(
        "--colour",
        choices=("rgb", "bgr"),
        help="order of its colour channels; --mean and --std are in R,G,B with either (rgb)",
    )
    end = group.add_mutually_exclusive_group()
    end.add_argument(
        "--activation",
        choices=("auto", "softmax", "sigmoid", "none"),
        help="of its output: softmax or sigmoid if it outputs logits, none if it outputs "
        "probabilities; auto checks its last node (auto)",
    )
    end.add_argument(
        "--softmax",
        choices=tuple(SOFTMAX_ACTIVATIONS),
        help="the earlier form: yes is --activation none, no is --activation softmax",
    )
    group.add_argument(
        "--crop-fraction",
        type=_fraction,
        help="side of the centre crop, as a fraction of the shorter side (0.875; of "
        "EfficientNet-Lite1 0.882); with --resize squash, of width and height (1)",
    )
    group.add_argument(
        "--resize",
        choices=RESIZES,
        help="crop: keep the aspect ratio, and a square of the photo; squash: resize the whole "
        "photo to a square (crop)",
    )
    group.add_argument(
        "--parity",
        type=whole_number(0),
        default=32,
        metavar="N",
        help="number of photos on which the service is compared with the ONNX file (32; 0: none)",
    )
    group.add_argument(
        "--interpolation",
        choices=tuple(INTERPOLATIONS),
        help="resize filter (hamming for EfficientNet-Lite0, bicubic for your own)",
    )


def _default_help(path_of: Callable[[str], Path]) -> str:
    path = path_of(DEFAULT_NETWORK).relative_to(ROOT)
    return f"(default: {path} in the repository, or that of --network)"


def _fraction(text: str) -> float:
    return _checked(text, lambda value: 0 < value <= 1, "more than 0 and at most 1")


def _share(text: str) -> float:
    return _checked(text, lambda value: 0 <= value <= 1, "between 0 and 1")


def _accuracy(text: str) -> float:
    return _checked(text, lambda value: 0 < value < 1, "more than 0 and less than 1")


def _checked(text: str, holds: Callable[[float], bool], what: str) -> float:
    value = _number(text)
    if not holds(value):
        raise argparse.ArgumentTypeError(f"{text} is not {what}")
    return value


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number


def _three_numbers(text: str) -> tuple[float, ...]:
    values = tuple(_number(part) for part in text.split(","))
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be one number or three, separated by commas"
        )
    return values * 3 if len(values) == 1 else values


def _deviations(text: str) -> tuple[float, ...]:
    values = _three_numbers(text)
    if min(values) <= 0:
        raise argparse.ArgumentTypeError("a deviation must be more than 0")
    return values
