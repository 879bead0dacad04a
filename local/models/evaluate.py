"""Compare a served model with its float model on photos of known classes.

Prints a table and checks that the model card has the same accuracy (exit status 1 if not); with
--update-card, writes the table to the card.

examples:
  python -m local.models.evaluate --images PHOTOS
  python -m local.models.evaluate --images PHOTOS --network efficientnet-lite2
  python -m local.models.evaluate --images labelled --model my-model --update-card
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.artifact import LABELS_FILE, MODEL_FILE
from local.common.cli import UsageError
from local.models.accuracy import accuracy, latency, probabilities
from local.models.card import photo_set, preprocessing_of, read_card, write_card
from local.models.labelled import labelled_photos, other_split
from local.models.options import evaluate_parser, reporting_errors, set_default_paths
from local.models.photos import read_pixels
from local.models.sources.labels import read_labels


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = evaluate_parser(__doc__).parse_args(arguments)
    set_default_paths(options)
    card = read_card(options.model)
    labels = read_labels(options.model / LABELS_FILE)
    split = options.split or other_split(card)
    photos, classes = labelled_photos(options.images, split, labels)
    fp32, int8 = _read(options.fp32), _read(options.model / MODEL_FILE)
    pixels = read_pixels(photos, preprocessing_of(card))
    result = {
        **photo_set(photos, split, card["calibration"]["set"]),
        **accuracy(
            probabilities(fp32, pixels, "FP32"), probabilities(int8, pixels, "INT8"), classes
        ),
        "latency": latency(fp32, int8, pixels),
        "command": f"python -m local.models.evaluate --images PHOTOS --split {split}",
    }
    print(table(result, len(fp32), len(int8), served_title(card)))
    if options.update_card:
        write_card(options.model, {**card, "evaluation": result})
        print("The card has been updated.")
    elif _without_latency(card.get("evaluation")) == _without_latency(result):
        print("The card has the same figures.")
    else:
        print("The card has other figures. Use --update-card to update it.")
        sys.exit(1)


def served_title(card: dict[str, Any]) -> str:
    """The precision of the served model, at most nine characters: FP32, mixed or INT8."""
    quantization = card["quantization"]
    if quantization["format"] == "none":
        return "FP32"
    return "mixed" if "float_layers" in quantization else "INT8"


def table(result: dict[str, Any], fp32_bytes: int, int8_bytes: int, served: str = "INT8") -> str:
    """The result as a Markdown table. served: the precision of the served model."""
    fp32, int8, times = result["fp32"], result["int8"], result["latency"]
    lines = [
        f"{result['photos']} photos ({result['split']})",
        "",
        f"|                          |      FP32 | {served:>9} |",
        "| ------------------------ | --------: | --------: |",
        f"| top-1                    | {fp32['top1']:>9.1%} | {int8['top1']:>9.1%} |",
        f"| top-5                    | {fp32['top5']:>9.1%} | {int8['top5']:>9.1%} |",
        f"| agrees with FP32         |           | {result['agreement']:>9.1%} |",
        f"| median time, one thread  | {times['fp32_ms']:>6.2f} ms | {times['int8_ms']:>6.2f} ms |",
        f"| of FP32's time           |           | {times['ratio']:>9.2f} |",
        f"| file                     | {fp32_bytes / 1e6:>6.2f} MB | {int8_bytes / 1e6:>6.2f} MB |",
    ]
    return "\n".join(lines)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}). Write the float model with "
            "`make build/fp32.onnx` (of another network: `make build/NETWORK-fp32.onnx`), or give "
            "its path as --fp32."
        ) from error


def _without_latency(evaluation: dict[str, Any] | None) -> dict[str, Any]:
    """The part that does not depend on the machine."""
    return {name: value for name, value in (evaluation or {}).items() if name != "latency"}


if __name__ == "__main__":
    main()
