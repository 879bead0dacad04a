"""The same logits on every processor: python -m tests.measure.every_cpu

Runs the shipped models on this processor and on emulated ones: x86-64 with AVX2 and without, arm64
without and with dot products, and with SVE. The target: the logits of all photos are identical bit
for bit, and no pair of inputs of an Add and no sum of inputs of the average pooling is rounded
differently. The float model's logits are for information: they differ by a few millionths.

Emulation needs qemu-user, and ARM64_PYTHON (see CONTRIBUTING.md).

examples:
  python -m tests.measure.every_cpu
  python -m tests.measure.every_cpu --photos PHOTOS --count 50 --json docs/measured/every-cpu.json

exit status: 0 the targets are met, 1 one is missed, 2 invalid command
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from local.common.cli import OneLineParser, UsageError, check_outputs, whole_number
from local.common.cli import main as run_main
from local.common.machine import when_and_where
from local.common.markdown import aligned_table
from local.common.paths import FLOAT_MODEL, NETWORKS, shipped_model
from local.common.verdict import Threshold, add_gross_option, conclude
from local.docs.every_cpu import header, note, rows
from local.models.card import preprocessing_of, read_card
from local.models.photos import find_photos, read_pixels
from tests.models.every_cpu import Job, Outputs, photo_job, photos, probe_job, probes, run
from tests.support.emulation import HERE, OTHERS

_FLOATS: Final = 24
"""Photos for the float model"""


def measure(jobs: Mapping[str, Job], count: int) -> dict[str, Any]:
    """The figures of the jobs "NETWORK, photos" and "NETWORK, inputs", and of "float"."""
    with TemporaryDirectory() as folder:
        here = run(HERE, jobs, Path(folder))
        processors = []
        for cpu in tqdm(OTHERS, unit="processor", disable=None):
            there = run(cpu, jobs, Path(folder))
            difference = np.abs(here["float"]["logits"] - there["float"]["logits"]).max()
            processors.append(
                {
                    "processor": cpu.title,
                    "models": {name: compared(name, here, there) for name in NETWORKS},
                    "float_difference": float(f"{difference:.2g}"),
                }
            )
    return {
        **when_and_where(),
        "photos": count,
        "logits": here["float"]["logits"].shape[-1],
        "models": {name: _inputs(here[f"{name}, inputs"]) for name in NETWORKS},
        "processors": processors,
    }


def compared(
    name: str, here: Mapping[str, Outputs], there: Mapping[str, Outputs]
) -> dict[str, int]:
    """Photos of a network with identical logits, and inputs that are rounded differently."""
    logits = here[f"{name}, photos"]["logits"]
    equal = logits == there[f"{name}, photos"]["logits"]
    other = there[f"{name}, inputs"]
    different = sum(
        int((values != other[node]).sum()) for node, values in here[f"{name}, inputs"].items()
    )
    return {
        "identical": int(equal.reshape(len(logits), -1).all(1).sum()),
        "different_inputs": different,
    }


def _inputs(probed: Outputs) -> dict[str, int]:
    sizes = [values.size for values in probed.values()]
    pairs = sum(size for size in sizes if size == 2**16)
    return {"pairs": pairs, "sums": sum(sizes) - pairs}


def _jobs(folder: Path | None, count: int) -> tuple[dict[str, Job], int]:
    """The jobs and the number of photos."""
    jobs: dict[str, Job] = {}
    for name in NETWORKS:
        directory = shipped_model(name)
        pixels = _pixels(directory, folder, count)
        model = onnx.load(directory / "model.onnx")
        jobs[f"{name}, inputs"] = probe_job(probes(model))
        jobs[f"{name}, photos"] = photo_job(model, pixels)
    floats = _pixels(shipped_model(NETWORKS[0]), folder, min(count, _FLOATS))
    jobs["float"] = photo_job(onnx.load(FLOAT_MODEL), floats)
    return jobs, len(pixels)


def _pixels(directory: Path, folder: Path | None, count: int) -> NDArray[np.uint8]:
    """Photos for the model in `directory`."""
    preprocessing = preprocessing_of(read_card(directory))
    if folder is None:
        return photos(preprocessing.size)[:count]
    found = find_photos(folder)
    return read_pixels(found[:: -(-len(found) // count)], preprocessing)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    check_outputs(options.json)
    for tool in dict.fromkeys(cpu.tool for cpu in OTHERS if cpu.tool):
        if tool.is_missing():
            raise UsageError(f"{tool.name} is missing: {tool.install}")
    if not FLOAT_MODEL.exists():
        raise UsageError("The float model is missing. Run: make build/fp32.onnx")
    jobs, count = _jobs(options.photos, options.count)
    result = measure(jobs, count)
    print(aligned_table(header(result), list(rows(result))))
    print(f"\n{note(result)}\n")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return conclude([_verdict(result)], _targets(result), gross=options.gross)


def _verdict(result: dict[str, Any]) -> dict[str, float]:
    figures = {}
    for each in result["processors"]:
        models = each["models"].values()
        least = min(model["identical"] for model in models)
        figures[f"photos, {each['processor']}"] = least
        different = sum(model["different_inputs"] for model in models)
        figures[f"other roundings, {each['processor']}"] = different
    return figures


def _targets(result: dict[str, Any]) -> list[Threshold]:
    targets = []
    for each in result["processors"]:
        name = each["processor"]
        targets.append(Threshold(f"photos, {name}", result["photos"], at_least=True))
        targets.append(Threshold(f"other roundings, {name}", 0))
    return targets


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m tests.measure.every_cpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--photos", type=Path, metavar="FOLDER", help="a folder of photos, instead of 24 own ones")
    add("--count", type=whole_number(), default=24, help="photos at most (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
