"""Build a served model: EfficientNet-Lite0, 1 or 2 from packages, or any ONNX classifier.

Writes model.onnx, labels.txt and model.json (the card) to --out, and the float model, for
`python -m local.models.evaluate`, to --fp32. model.onnx is INT8 if that agrees with the float model
on photos that are held out of the calibration; otherwise, some or all layers stay floats.

examples:
  python -m local.models.build --calibration PHOTOS
  python -m local.models.build --calibration PHOTOS --network efficientnet-lite2
  python -m local.models.build --calibration PHOTOS --from yolo11n-cls.onnx --out my-model
  python -m local.models.build --calibration PHOTOS --from folder-of-optimum --out my-model
  python -m local.models.build --calibration PHOTOS --onnx net.onnx --labels names.txt \\
      --size 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out my-model
"""

from collections.abc import Sequence
from pathlib import Path

from classifier.artifact import LABELS_FILE, MODEL_FILE, Label
from local.common.cli import UsageError, check_folder
from local.models.card import describe, write_card
from local.models.custom import custom_model, is_custom
from local.models.float_model import check_float_model, serialized, write_float_model
from local.models.graph.class_map import add_class_map
from local.models.holdout import hold_out, views
from local.models.lite import lite_model
from local.models.options import build_parser, reporting_errors, set_default_paths
from local.models.parity.source_check import check_source
from local.models.photos import Preprocessing, Split, class_of, find_photos, in_split, read_pixels
from local.models.precision import choose_precision
from local.models.precision_report import calibration_entry, quantization_entry, report, served_name
from local.models.sources.labels import write_labels


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = build_parser(__doc__).parse_args(arguments)
    custom = is_custom(options)
    if custom and options.network:
        raise UsageError("--network names a model of the project: remove it, or --onnx and --from.")
    set_default_paths(options)
    check_folder(options.out)
    check_float_model(options.fp32)
    source = custom_model(options) if custom else lite_model(options.network, options.wheels)
    size = source.normalization.size
    interpolation = options.interpolation or source.interpolation
    crop_fraction = options.crop_fraction or source.crop_fraction
    resize = options.resize or source.resize
    preprocessing = Preprocessing(size, crop_fraction, interpolation, resize)
    split: Split = options.split or ("all" if custom else "calibration")
    given = _calibration_photos(options.calibration, split, source.labels)
    for line in source.report:
        print(line)
    classes = [class_of(photo, options.calibration, source.labels) for photo in given]
    check_source(source, preprocessing, given, classes, options.parity)
    photos = hold_out(given, split)
    pixels = read_pixels(photos.calibration, preprocessing)
    measured = views(read_pixels(photos.measured, preprocessing))
    choice = choose_precision(source, pixels, measured, options.min_agreement)
    model, class_map = add_class_map(choice.model, pixels)  # last: it adds a branch

    write_float_model(source.network, source.normalization, options.fp32, source.activation)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MODEL_FILE).write_bytes(serialized(model))
    write_labels(options.out / LABELS_FILE, source.labels)
    card = describe(
        options.out,
        name=served_name(source.name, choice),
        source=source.description,
        licence=source.licence,
        preprocessing=preprocessing,
        normalization=source.normalization,
        calibration=calibration_entry(photos, split, options.calibration_set),
        quantization=quantization_entry(choice, photos),
        activation=source.activation,
        class_map=class_map,
    )
    write_card(options.out, card)
    classes = [class_of(photo, options.calibration, source.labels) for photo in photos.measured]
    print(*report(choice, photos, classes, pixels), sep="\n")
    if custom:
        print(f"Class activation map: {class_map or 'none, so no ?explain=1'}")
    print(f"{options.out / MODEL_FILE}: {card['bytes']:,} bytes, sha256 {card['sha256']}")


def _calibration_photos(folder: Path, split: Split, labels: list[Label]) -> list[Path]:
    photos = find_photos(folder)
    if split == "all":
        return photos
    classes = [(photo, class_of(photo, folder, labels)) for photo in photos]
    chosen = [photo for photo, index in classes if index is not None and in_split(index, split)]
    if not chosen:
        raise UsageError(
            f"No photo in {folder} belongs to the {split} split: name photos or "
            "folders by class (INDEX_WNID_name.jpg), or use --split all."
        )
    return chosen


if __name__ == "__main__":
    main()
