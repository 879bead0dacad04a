"""INT8 only where it holds, shown on eight small networks: python -m tests.measure.own_models

Six networks of different kinds, with random weights and a last layer that is fitted to synthetic
photos, and two that INT8 ruins: one channel of the first of them, three of the second are far
larger than the others. The build chooses the precision of each, with a fifth of the calibration
photos held out. Then the float model, INT8 and what the build serves are compared on other photos.

The target: what is served decides as the float model does, on at least --min-agreement of those
photos less two standard errors, or is the float model: the build measures agreement on other
photos, so that half of the networks with just --min-agreement are below it here. Times and sizes
are for information.

examples:
  python -m tests.measure.own_models
  python -m tests.measure.own_models --quick --min-agreement 0.95
  python -m tests.measure.own_models --json docs/measured/own-models.json

exit status: 0 all targets are met, 1 one is missed, 2 invalid command
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from local.common.cli import OneLineParser, UsageError, check_outputs
from local.common.cli import main as run_main
from local.common.machine import when_and_where
from local.common.markdown import aligned_table
from local.common.verdict import Threshold, add_gross_option, conclude
from local.docs.own_models import header, notes, rows
from local.models.accuracy import latency, probabilities
from local.models.agreement import agreement
from local.models.float_model import serialized
from local.models.holdout import hold_out, views
from local.models.precision import Choice, choose_precision
from tests.models.architectures import KINDS, ruined
from tests.models.examples import Labelled, network_of, photos_for, source_of

RUINED: Final = {
    "one large channel": {"t4": 3000.0},
    "large channels everywhere": {"t0": 300.0, "t2": 300.0, "t4": 300.0},
}
"""Factors of channels by node of a plain network: see `ruined`."""


@dataclass(frozen=True)
class Plan:
    """The size of the networks, and numbers of photos.

    size: pixels. scale: of the networks' width. fit: photos for the last layer. calibration:
    photos for the build. test: photos that compare the models.
    """

    size: int
    scale: int
    fit: int
    calibration: int
    test: int


FULL: Final = Plan(size=48, scale=2, fit=1500, calibration=120, test=400)
QUICK: Final = Plan(size=32, scale=1, fit=600, calibration=60, test=200)


def measure(name: str, plan: Plan, min_agreement: float) -> dict[str, Any]:
    """The figures of the network `name`, one of `KINDS` or `RUINED`."""
    model, test, kind = _network(name, plan)
    photos, _ = photos_for(kind, plan.calibration, plan.size, seed=1)
    calibration, measured = _held_out(photos)
    with TemporaryDirectory() as folder:
        source = source_of(model, plan.size, Path(folder), kind)
    choice = choose_precision(source, calibration, measured, min_agreement)
    return figures(name, choice, test)


def _network(name: str, plan: Plan) -> tuple[onnx.ModelProto, Labelled, str]:
    """The network, photos to test it, and its kind."""
    kind = name if name in KINDS else "plain"
    model = network_of(kind, photos_for(kind, plan.fit, plan.size), plan.scale)
    test = photos_for(kind, plan.test, plan.size, seed=2)
    return (model if kind == name else ruined(model, RUINED[name])), test, kind


def _held_out(photos: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The pixels that calibrate, and those that measure, as in the build."""
    split = hold_out([Path(str(number)) for number in range(len(photos))], "all")
    calibration, measured = (
        photos[[int(path.name) for path in paths]] for paths in (split.calibration, split.measured)
    )
    return calibration, views(measured)


def figures(name: str, choice: Choice, test: Labelled) -> dict[str, Any]:
    """Shares are 0 to 1, of the decisions about the test photos; times in ms, sizes in bytes."""
    reference, served = serialized(choice.reference), serialized(choice.model)
    models = {"float": reference, "served": served}
    if choice.attempts:
        models["int8"] = serialized(choice.attempts[0].model)
    outputs = {what: probabilities(model, test.pixels, what) for what, model in models.items()}
    times = latency(reference, served, test.pixels)
    chosen = choice.chosen
    return {
        "network": name,
        "correct": {what: _share(test.truth, values) for what, values in outputs.items()},
        "agreement": {
            what: _share(outputs["float"], values)
            for what, values in outputs.items()
            if what != "float"
        },
        "served": choice.kind,
        "reason": choice.reason,
        "float_layers": [layer.nodes[0] for layer in chosen.float_layers] if chosen else [],
        "float_multiplications": round(chosen.float_share, 4) if chosen else 1.0,
        "held_out_agreement": [
            {"float_layers": len(attempt.float_layers), "agreement": round(attempt.agreement, 4)}
            for attempt in choice.attempts
            if attempt.agreement is not None
        ],
        "ms": {
            "float": times["fp32_ms"],
            "served": times["fp32_ms"] if choice.kind == "float" else times["int8_ms"],
        },
        "bytes": {"float": len(reference), "served": len(served)},
    }


def _share(reference: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return round(agreement(reference, other), 4)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    check_outputs(options.json)
    plan = QUICK if options.quick else FULL
    chosen = [name for name in (*KINDS, *RUINED) if name in (options.only or name)]
    measured = [
        measure(name, plan, options.min_agreement)
        for name in tqdm(chosen, unit="network", disable=None)
    ]
    result = {
        **when_and_where(),
        "min_agreement": options.min_agreement,
        "calibration_photos": plan.calibration,
        "test_photos": plan.test,
        "networks": measured,
    }
    print(aligned_table(header(), list(rows(result))))
    print(*notes(result), sep="\n", end="\n\n")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return conclude([_verdict(measured)], _targets(result), gross=options.gross)


def _verdict(measured: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    return {each["network"]: each["agreement"]["served"] for each in measured}


def _targets(result: Mapping[str, Any]) -> list[Threshold]:
    share, photos = result["min_agreement"], result["test_photos"]
    least = round(share - 2 * (share * (1 - share) / photos) ** 0.5, 4)
    return [Threshold(each["network"], least, at_least=True) for each in result["networks"]]


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m tests.measure.own_models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", action="append", choices=[*KINDS, *RUINED], help="this network; repeatable")
    add("--quick", action="store_true", help="smaller networks and fewer photos")
    add(
        "--min-agreement",
        type=_share_option,
        default=0.97,
        metavar="SHARE",
        help="as in the build, 0 to 1 (default: %(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser


def _share_option(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--min-agreement must be from 0 to 1, not {text!r}.")
    return value


if __name__ == "__main__":
    run_main(main)
