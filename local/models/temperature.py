"""Make a model's probabilities agree with how often they are right: fit one temperature.

Fits it on photos of known classes that were not used for calibration, and folds it into the model's
graph. The card gets the temperature, the calibration error before and after, and the threshold at
or above which 95 % of the first classes are right. Classes and their order do not change. A model
that has a temperature gets a new one. "After" is measured by cross-validation: the temperature of
each photo was fitted without it.

Photos that the network was trained on, or that are easier than those to come, are right more often
at the same probability. With --accuracy, correctly and wrongly classified photos are weighted to
have the accuracy on other photos.

examples:
  python -m local.models.temperature --images PHOTOS
  python -m local.models.temperature --images labelled --model my-model --accuracy 0.8
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from classifier.artifact import LABELS_FILE, MODEL_FILE
from local.common.cli import UsageError, check_outputs
from local.models import confidence
from local.models.accuracy import probabilities
from local.models.card import photo_set, preprocessing_of, read_card, write_card
from local.models.confidence import LabelledLogits, Validation
from local.models.float_model import serialized
from local.models.graph.temperature import class_logits, with_temperature, without_temperature
from local.models.labelled import labelled_photos, other_split
from local.models.options import reporting_errors, set_default_paths, temperature_parser
from local.models.photos import read_pixels
from local.models.sources.labels import read_labels
from local.models.sources.source import sha256

_MIN_PHOTOS: Final = 50


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = temperature_parser(__doc__).parse_args(arguments)
    set_default_paths(options)
    check_outputs(options.json)
    card = read_card(options.model)
    labels = read_labels(options.model / LABELS_FILE)
    split = options.split or other_split(card)
    files, classes = labelled_photos(options.images, split, labels)
    used = photo_set(files, split, options.images.name or "photos")
    _check(len(files), used["sha256"], card)
    pixels = read_pixels(files, preprocessing_of(card))
    plain = without_temperature(onnx.load_from_string((options.model / MODEL_FILE).read_bytes()))
    logits, sigmoid = class_logits(plain, pixels)
    photos = LabelledLogits(logits, classes, sigmoid)
    temperature, weight = _fit(photos, options.accuracy)
    validation = confidence.cross_validate(photos, options.accuracy)

    model = serialized(with_temperature(plain, temperature))
    _check_order(
        probabilities(serialized(plain), pixels, "Without a temperature"),
        probabilities(model, pixels, "With the temperature"),
    )
    result = {
        **measure(photos, weight, temperature, validation),
        **({} if options.accuracy is None else {"weighted_to_accuracy": options.accuracy}),
        **used,
        "set": _set_name(card, used),
        "command": _command(split, options.accuracy),
    }
    (options.model / MODEL_FILE).write_bytes(model)
    changed = {"sha256": sha256(model), "bytes": len(model), "confidence": result}
    write_card(options.model, {**card, **changed})
    print(table(result))
    if options.json:
        _write_bins(options.json, photos, weight, validation)


def _check(count: int, digest: str, card: dict[str, Any]) -> None:
    """Raises `UsageError` if there are too few photos, or those that calibrated the model."""
    calibration = card["calibration"]
    if digest in (calibration["sha256"], calibration.get("sha256_with_held_out")):
        raise UsageError(
            "These photos calibrated the quantization. Use others, as --images or as --split: on "
            "photos that the model has seen its probabilities are better than later."
        )
    if count < _MIN_PHOTOS:
        raise UsageError(
            f"Too few photos of known classes: {count}. Use {_MIN_PHOTOS} or more, preferably 500."
        )


def _fit(photos: LabelledLogits, accuracy: float | None) -> tuple[float, NDArray[np.float64]]:
    """The temperature and the weights of the photos. Raises `UsageError`."""
    share = photos.right.mean()
    if share in (0, 1):
        raise UsageError(
            f"The first class of {'every' if share else 'no'} photo is right, which no temperature "
            "explains. Use more photos, or check the names of their folders."
        )
    weight = confidence.weights(photos.right, accuracy)
    temperature = confidence.fit_temperature(photos, weight)
    low, high = confidence.MIN_TEMPERATURE, confidence.MAX_TEMPERATURE
    if not low * 1.01 < temperature < high / 1.01:
        raise UsageError(
            f"The best temperature is not between {low:g} and {high:g}: the probabilities have "
            "nothing to do with the photos' classes. Check the labels and the folders."
        )
    # The card and the graph have the same.
    return round(temperature, 4), weight


def _check_order(before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
    """The first class is the same, and no class overtakes another; both are [N, classes]."""
    assert (before.argmax(1) == after.argmax(1)).all(), "the temperature changed a first class"
    order = np.argsort(before, axis=1, kind="stable")
    steps = np.diff(np.take_along_axis(after, order, 1), axis=1)
    equal = np.diff(np.take_along_axis(before, order, 1), axis=1) == 0
    assert (equal | (steps >= 0)).all(), "the temperature changed the order of classes"


def measure(
    photos: LabelledLogits,
    weight: NDArray[np.float64],
    temperature: float,
    validation: Validation,
) -> dict[str, Any]:
    """The figures of the card, as fractions; `threshold` is absent if there is none."""
    right = photos.right
    before = photos.top_probability(1)
    errors = [confidence.calibration_error(top, right, weight) for top in validation.top]
    threshold = confidence.find_threshold(photos.top_probability(temperature), right, weight)
    mean = validation.top.mean(0)
    ones = np.ones(len(right))
    unweighted = [confidence.calibration_error(top, right, ones) for top in (before, mean)]
    return {
        "temperature": temperature,
        "ece": {
            "before": round(confidence.calibration_error(before, right, weight), 4),
            "after": round(float(np.mean(errors)), 4),
            "deviation": round(float(np.std(errors)), 4),
            "if_exact": round(confidence.error_of_exact(mean, weight), 4),
            "unweighted": dict(
                zip(("before", "after"), np.round(unweighted, 4).tolist(), strict=True)
            ),
            "bins": confidence.BINS,
            "validation": f"{confidence.FOLDS} folds, {confidence.REPEATS} times",
        },
        "first_class": {
            "before": round(float(np.average(before, weights=weight)), 4),
            "after": round(float(np.average(mean, weights=weight)), 4),
            "right": round(float(np.average(right, weights=weight)), 4),
            "right_unweighted": round(float(right.mean()), 4),
        },
        **({} if threshold is None else _threshold(threshold, right, weight, validation)),
    }


def _threshold(
    threshold: float, right: NDArray[np.bool_], weight: NDArray[np.float64], validation: Validation
) -> dict[str, Any]:
    found = [
        confidence.precision(above, right, weight) for above in validation.above if above.any()
    ]
    share = np.average(validation.above.mean(0), weights=weight)
    return {
        "threshold": threshold,
        "precision": confidence.PRECISION,
        "precision_validated": round(float(np.mean(found)), 4) if found else None,
        "share_above": round(float(share), 4),
    }


def table(result: dict[str, Any]) -> str:
    """The figures as text."""
    ece, first = result["ece"], result["first_class"]
    after = f"{ece['after']:.3f} ± {ece['deviation']:.3f}"
    lines = [
        f"{result['photos']} photos ({result['split']}), temperature {result['temperature']:.3f}",
        "",
        "|                              |  before |         after |",
        "| ---------------------------- | ------: | ------------: |",
        f"| calibration error (ECE)      | {ece['before']:>7.3f} | {after:>13} |",
        f"| the same, if exact           |         | {ece['if_exact']:>13.3f} |",
        f"| probability of first classes | {first['before']:>7.3f} | {first['after']:>13.3f} |",
        f"| of them right                | {first['right']:>7.3f} | {first['right']:>13.3f} |",
        "",
    ]
    if "threshold" in result:
        lines.append(
            f"At {result['threshold']:.2f} or above, {result['precision']:.0%} of the first "
            f"classes are right ({result['precision_validated']:.1%} by cross-validation); "
            f"{result['share_above']:.0%} reach it."
        )
    else:
        lines.append(
            f"There is no probability at or above which {confidence.PRECISION:.0%} are known to be "
            "right: the card has no threshold."
        )
    return "\n".join(lines)


def _set_name(card: dict[str, Any], used: dict[str, Any]) -> str:
    """The description of the set, where it is the one that calibrated the model in parts."""
    of_parts = card["calibration"]["split"] != "all" and used["split"] != "all"
    return str(card["calibration"]["set"] if of_parts else used["set"])


def _command(split: str, accuracy: float | None) -> str:
    options = [] if accuracy is None else ["--accuracy", f"{accuracy:g}"]
    module = "local.models.temperature"
    return shlex.join(["python", "-m", module, "--images", "PHOTOS", "--split", split, *options])


def _write_bins(
    path: Path, photos: LabelledLogits, weight: NDArray[np.float64], validation: Validation
) -> None:
    """The bins before, and after in all repetitions."""
    right = photos.right
    repeats = len(validation.top)
    after = confidence.reliability(
        validation.top.ravel(), np.tile(right, repeats), np.tile(weight, repeats)
    )
    before = confidence.reliability(photos.top_probability(1), right, weight)
    bins = {"before": _rounded(before), "after": _rounded(after)}
    path.write_text(json.dumps(bins, indent=1) + "\n", "utf-8")


def _rounded(bins: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: round(value, 4) for name, value in each.items()} for each in bins]


if __name__ == "__main__":
    main()
