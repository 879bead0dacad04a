"""What the choice of a precision was and what it costs, for the terminal and for the card."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from local.models.accuracy import latency
from local.models.agreement import is_multi_label
from local.models.card import photo_set
from local.models.float_model import serialized
from local.models.holdout import CalibrationPhotos
from local.models.photos import Split
from local.models.precision import Choice
from local.models.quantization.quantize import DESCRIPTION
from local.models.quantization.same_rounding import different_roundings

_INT8: Final = "-int8"
_FP32: Final = "-fp32"
_TIMED: Final = 20
"""Photos for the timing."""


def served_name(name: str, choice: Choice) -> str:
    """The name for the card: a name that ends in -int8 ends in -fp32 for a float model."""
    return name.removesuffix(_INT8) + _FP32 if choice.kind == "float" and _INT8 in name else name


def calibration_entry(photos: CalibrationPhotos, split: Split, description: str) -> dict[str, Any]:
    """The card's "calibration": the photos that fitted the model, and the digest of these and those
    held out, by which `local.models.temperature` recognizes the folder."""
    entry = photo_set(photos.calibration, split, description)
    if not photos.held_out:
        return entry
    both = photo_set([*photos.calibration, *photos.measured], split, description)
    return {**entry, "sha256_with_held_out": both["sha256"]}


def quantization_entry(choice: Choice, photos: CalibrationPhotos) -> dict[str, Any]:
    """The entry `quantization` of the card.

    Shares are 0 to 1. agreement: of the INT8 or mixed model with the float model, of the photos
    `photos_held_out` and their mirror images; null if it was not measured. For a float model the
    format is "none", and `int8_agreement` that of the whole network in INT8.
    """
    held_out = {"photos_held_out": len(photos.measured) if photos.held_out else 0}
    if choice.chosen is None:
        whole = choice.attempts[0].agreement if choice.attempts else None
        return {
            "format": "none",
            "reason": choice.reason,
            "int8_agreement": _rounded(whole),
            **held_out,
        }
    if choice.chosen.agreement is None:
        return dict(DESCRIPTION)
    entry = {**DESCRIPTION, "agreement": _rounded(choice.chosen.agreement), **held_out}
    if choice.kind == "mixed":
        entry["float_layers"] = _names(choice)
        entry["float_multiplications"] = _rounded(choice.chosen.float_share)
    return entry


def report(
    choice: Choice,
    photos: CalibrationPhotos,
    classes: Sequence[int | None],
    pixels: NDArray[np.uint8],
) -> Iterator[str]:
    """Lines for the terminal.

    classes: those of the photos that measured, None if unknown. pixels: photos for the timing,
    uint8 [N, size, size, 3], N of 1 or more.
    """
    yield from _agreement_lines(choice, photos)
    yield from _accuracy_line(choice, classes)
    yield _served(choice)
    yield from rounding_line(choice)
    yield from _cost_lines(choice, pixels[:_TIMED])


def _agreement_lines(choice: Choice, photos: CalibrationPhotos) -> Iterator[str]:
    if not photos.measured:
        yield "No photos are held out: compare the models with local.models.evaluate."
        return
    if not photos.held_out:
        yield (
            f"Only {len(photos.measured)} photos: they calibrated and measure, which is too "
            "favourable. Use 100 or more."
        )
    which = "held out" if photos.held_out else "for calibration"
    yield (
        f"Decisions equal to the float model's, on {len(photos.measured)} photos {which} and "
        "their mirror images:"
    )
    for attempt in choice.attempts:
        number = len(attempt.float_layers)
        what = f"INT8, {number} layer{'s' * (number != 1)} in float" if number else "INT8"
        share = f", {attempt.float_share:.0%} of the multiplications" if number else ""
        yield f"  {attempt.agreement:.1%}  {what}{share}"


def _accuracy_line(choice: Choice, classes: Sequence[int | None]) -> Iterator[str]:
    """For the photos of known classes, unless the model is multi-label: without mirror images."""
    known = [number for number, index in enumerate(classes) if index is not None]
    if not known or is_multi_label(choice.expected):
        return
    truth = np.array([classes[number] for number in known])
    outputs = [("float", choice.expected)]
    if choice.attempts:
        outputs.append(("INT8", choice.attempts[0].outputs))
    if choice.kind == "mixed":
        outputs.append(("served", choice.attempts[-1].outputs))
    shares = ", ".join(
        f"{name} {float((values[known].argmax(1) == truth).mean()):.1%}" for name, values in outputs
    )
    yield f"Correct, of {len(known)} of these photos with a known class: {shares}."


def _served(choice: Choice) -> str:
    if choice.kind == "float":
        return f"Served: the float model, because {choice.reason}."
    if choice.kind == "mixed":
        return f"Served: INT8 with these layers in float: {', '.join(_names(choice))}."
    return "Served: INT8."


def rounding_line(choice: Choice) -> Iterator[str]:
    """A line about nodes whose scale the build could not align (`same_rounding`)."""
    different = different_roundings(choice.chosen.model) if choice.chosen else {}
    if different:
        count = sum(different.values())
        yield (
            f"x86-64 and arm64 round {count} input{'s' * (count != 1)} of {', '.join(different)} "
            "differently."
        )


def _cost_lines(choice: Choice, pixels: NDArray[np.uint8]) -> Iterator[str]:
    """Times and sizes of the float model, of INT8 and of a mixed model."""
    reference = serialized(choice.reference)
    models = []
    if choice.attempts:
        models.append(("INT8", serialized(choice.attempts[0].model)))
    if choice.kind == "mixed":
        models.append(("served", serialized(choice.model)))
    for name, model in models:
        times = latency(reference, model, pixels)
        yield (
            f"Cost: float {times['fp32_ms']:.2f} ms and {len(reference) / 1e6:.2f} MB, "
            f"{name} {times['int8_ms']:.2f} ms and {len(model) / 1e6:.2f} MB (one thread)."
        )


def _names(choice: Choice) -> list[str]:
    assert choice.chosen
    return [layer.nodes[0] for layer in choice.chosen.float_layers]


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
