"""Hugging Face: a folder as `optimum-cli export onnx` writes it.

config.json has the classes, preprocessor_config.json the image processor. Its members are those of
the classes in transformers/models/*/image_processing_*.py, and so are the exceptions below.
"""

from pathlib import Path
from typing import Final, NamedTuple

from classifier.images import INTERPOLATIONS
from local.models.exports.export import Export, ExportError, Refused, Stated, read_labels_of
from local.models.exports.members import Members, read_json

PROCESSOR_FILE: Final = "preprocessor_config.json"

_TASK: Final = "ForImageClassification"

_PROBLEMS: Final = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
}

_KEEP_ASPECT: Final = {
    "Bit", "ChineseCLIP", "CLIP", "ConvNext", "Levit", "MobileNetV1", "MobileNetV2", "MobileViT",
    "PoolFormer",
}  # fmt: skip
"""Processors for which a `size` of one number is that of the shorter side: `default_to_square` is
false. For others, it is that of both sides."""

_CROPS: Final = (_KEEP_ASPECT - {"ConvNext"}) | {"DeiT", "Perceiver"}
"""Processors whose `do_center_crop` is true by default"""

_CONVNEXT_CROPS_BELOW: Final = 384
"""Pixels; ConvNextImageProcessor squashes photos for larger inputs"""

_CONVNEXT_CROP: Final = 224 / 256
_LEVIT_RESIZE: Final = 256 / 224

_FILTERS: Final = {int(number): name for name, number in INTERPOLATIONS.items()}
"""The service's names of the numbers that Pillow gives them, and `resample` has"""


class _Geometry(NamedTuple):
    """Of the evaluation preprocessing, as options of the build."""

    size: int | Refused
    crop_fraction: float
    resize: str | Refused
    member: str
    """The member that states the size of the network's input"""


def is_hugging_face(config: Members) -> bool:
    return bool({"id2label", "model_type", "architectures"} & config.content.keys())


def read_hugging_face(config: Members, folder: Path, onnx: Path) -> Export:
    """The network `onnx` of `folder`, which has `config`. Raises `ExportError`."""
    _check_task(config, folder)
    processor_path = folder / PROCESSOR_FILE
    if not processor_path.is_file():
        raise ExportError(
            f"{folder} has no {PROCESSOR_FILE}, which states the preprocessing. Write it with "
            "AutoImageProcessor.from_pretrained(MODEL).save_pretrained(FOLDER)."
        )
    processor = read_json(processor_path)
    kind = _kind(processor)
    geometry = _geometry(processor, kind)
    values = {
        "size": Stated(geometry.size, processor.source(geometry.member)),
        "crop_fraction": Stated(geometry.crop_fraction, f"{kind} and sizes in {processor.name}"),
        "resize": Stated(geometry.resize, f"{kind} and sizes in {processor.name}"),
        **_normalization(processor, kind),
    }
    if "resample" in processor:
        values["interpolation"] = Stated(_filter(processor), processor.source("resample"))
    if processor.flag("do_flip_channel_order", kind == "MobileViT"):
        values["colour"] = Stated("bgr", processor.source("do_flip_channel_order"))
    if "id2label" in config:
        source = config.source("id2label")
        labels = read_labels_of(config.value("id2label"), source)
        values["labels"] = Stated(labels, source)
        problem = config.value("problem_type")
        if problem in _PROBLEMS and len(labels) > 1:
            values["activation"] = Stated(_PROBLEMS[problem], config.source("problem_type"))
    return Export(onnx, values)


def _check_task(config: Members, folder: Path) -> None:
    architectures = config.value("architectures")
    classes = [str(name) for name in architectures] if isinstance(architectures, list) else []
    if classes and not any(_TASK in name for name in classes):
        raise ExportError(
            f"{folder} is a {classes[0]}, not a classifier. Export a model whose architecture ends "
            f"in {_TASK}, with --task image-classification."
        )
    if config.value("problem_type") == "regression":
        raise ExportError(f"{folder} is a regression. The service needs a classifier.")


def _kind(processor: Members) -> str:
    """Of the image processor: `ViT`, `ConvNext`, ..., without what its name ends in."""
    name = processor.value("image_processor_type") or processor.value("feature_extractor_type")
    kind = str(name or "").removesuffix("Pil").removesuffix("Fast")
    return kind.removesuffix("ImageProcessor").removesuffix("FeatureExtractor")


def _geometry(processor: Members, kind: str) -> _Geometry:
    for member, default in (("do_resize", True), ("do_pad", False)):
        if processor.flag(member, default) != default:
            reason = (
                f"{processor.source(member)} is {str(not default).lower()}, and the service "
                "resizes photos without a border. Use --resize, --size and --crop-fraction."
            )
            return _Geometry(Refused(reason), 1, Refused(reason), member)
    side, keeps_aspect = _side(processor, kind)
    if kind == "ConvNext" and keeps_aspect:
        return _convnext(processor, side)
    resized, keeps_aspect = _resized(processor, kind, side, keeps_aspect)
    resize: str | Refused = "crop" if keeps_aspect else "squash"
    if not processor.flag("do_center_crop", kind in _CROPS):
        if keeps_aspect:
            reason = (
                f"{processor.source('do_center_crop')} is false: photos keep their shape, and the "
                "service's are square. Use --resize crop or --resize squash."
            )
            return _Geometry(side, 1, Refused(reason), "size")
        return _Geometry(side, 1, resize, "size")
    crop = _square(processor, "crop_size")
    if kind == "Perceiver" or crop > resized:
        reason = (
            f"{kind} with crop_size {crop} and size {resized} crops before it resizes, or adds a "
            "border, and the service does not. Use --resize, --size and --crop-fraction."
        )
        return _Geometry(crop, 1, Refused(reason), "crop_size")
    return _Geometry(crop, crop / resized, resize, "crop_size")


def _side(processor: Members, kind: str) -> tuple[int, bool]:
    """The side in pixels that `size` states, and whether it is that of the shorter side."""
    size = processor.value("size")
    if not isinstance(size, dict):
        return processor.whole("size"), kind in _KEEP_ASPECT
    inner = processor.inner("size")
    if "shortest_edge" in inner and "longest_edge" not in inner:
        return inner.whole("shortest_edge"), True
    return _square(processor, "size"), False


def _square(processor: Members, member: str) -> int:
    """The side of a square. Raises `ExportError`."""
    value = processor.value(member)
    if not isinstance(value, dict):
        return processor.whole(member)
    inner = processor.inner(member)
    if "height" not in inner or inner.value("height") != inner.value("width"):
        raise processor.error(member, "square, because the service's images are")
    return inner.whole("height")


def _convnext(processor: Members, side: int) -> _Geometry:
    if side >= _CONVNEXT_CROPS_BELOW:
        return _Geometry(side, 1, "squash", "size")
    fraction = processor.number("crop_pct", _CONVNEXT_CROP)
    return _Geometry(side, side / int(side / fraction), "crop", "size")


def _resized(processor: Members, kind: str, side: int, keeps_aspect: bool) -> tuple[int, bool]:
    """The side in pixels that photos have before the crop, and whether it is the shorter one."""
    if kind == "Levit" and keeps_aspect:
        return int(_LEVIT_RESIZE * side), True
    if kind == "PoolFormer" and "crop_pct" in processor:
        return int(side / processor.number("crop_pct")), True
    return side, keeps_aspect


def _normalization(processor: Members, kind: str) -> dict[str, Stated]:
    """mean and std; pixel_range is 1 if `rescale_factor` is 1/255, else they are of 0 to 255."""
    factor, source = 1.0, processor.source("do_rescale")
    if processor.flag("do_rescale", True):
        factor, source = (
            processor.number("rescale_factor", 1 / 255),
            processor.source("rescale_factor"),
        )
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    mean_source = std_source = processor.source("do_normalize")
    if processor.flag("do_normalize", kind != "MobileViT"):
        mean, std = processor.colours("image_mean"), processor.colours("image_std")
        mean_source, std_source = processor.source("image_mean"), processor.source("image_std")
    if min(std) <= 0:
        raise processor.error("image_std", "more than 0")
    if processor.flag("rescale_offset", False):  # pixel * factor - 1
        mean = tuple(m + 1 for m in mean)
        mean_source += " and rescale_offset"
    if kind == "EfficientNet" and processor.flag("include_top", True):  # divides by it once more
        std = tuple(s * s for s in std)
        std_source += ", twice because of include_top"
    pixel_range = 1
    if abs(factor * 255 - 1) > 1e-3:
        pixel_range = 255
        mean, std = (tuple(v / factor for v in values) for values in (mean, std))
    return {
        "mean": Stated(mean, mean_source),
        "std": Stated(std, std_source),
        "pixel_range": Stated(pixel_range, source),
    }


def _filter(processor: Members) -> str | Refused:
    number = processor.value("resample")
    name = _FILTERS.get(number) if isinstance(number, int) else None
    return name or Refused(
        f"{processor.source('resample')} is {number}, a filter that the service does not have. "
        "Choose the nearest with --interpolation."
    )
