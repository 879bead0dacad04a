"""Compare the models of the repository: time of an inference, cold start and warm requests.

    python -m local.benchmark.models [--json FILE]

Each model has its own container image, with the default memory of template.yaml and the CPU that
Lambda gives for it. A round measures each model once, so that other activity on the machine affects
all of them; medians are reported. An inference uses one thread and one image.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from tqdm import tqdm

from local.benchmark.lambda_image import Life, build_image, life
from local.common.cli import OneLineParser, UsageError, check_outputs, main, whole_number
from local.common.emulator import docker_answers
from local.common.machine import when_and_where
from local.common.paths import NETWORKS, shipped_model
from local.simulation.aws_figures import VCPU

MEMORY_MB: Final = int(VCPU.value)

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.models --rounds 1 --warm-requests 5      takes a minute
  python -m local.benchmark.models --json docs/measured/models.json
"""

_ERRORS_ONLY: Final = 3
"""ONNX Runtime warns about the default of the input `explain`."""

_WARM_UP: Final = 5
_RUNS: Final = 40
"""Timed inferences of each model in a round, after the warm-up."""


def measure(networks: Sequence[str], rounds: int, warm_requests: int) -> dict[str, Any]:
    """Medians of each network, in milliseconds."""
    inferences = {network: _inference(network) for network in networks}
    times: dict[str, list[float]] = {network: [] for network in networks}
    lives: dict[str, list[Life]] = {network: [] for network in networks}
    for _ in tqdm(range(rounds), "Measuring", unit="round", disable=None):
        for network, infer in inferences.items():
            times[network] += [infer() for _ in range(_WARM_UP + _RUNS)][_WARM_UP:]
        for network in networks:
            lives[network].append(life(image(network), MEMORY_MB, warm_requests))
    return {network: medians(times[network], lives[network]) for network in networks}


def image(network: str) -> str:
    """The tag of the image with the model of `network`."""
    return f"classifier-measured:{network}"


def _inference(network: str) -> Callable[[], float]:
    """A function that runs the model once and returns the time in milliseconds."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    session = ort.InferenceSession(
        shipped_model(network) / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    (tensor,) = session.get_inputs()
    pixels = np.random.default_rng(0).integers(0, 256, (1, *tensor.shape[1:]), np.uint8)

    def infer() -> float:
        start = time.perf_counter()
        session.run(None, {tensor.name: pixels})
        return (time.perf_counter() - start) * 1e3

    return infer


def medians(times: Sequence[float], lives: Sequence[Life]) -> Mapping[str, float]:
    """The medians of all inferences and containers of one model; the largest memory in MB."""
    return {
        "inference_ms": round(statistics.median(times), 2),
        "cold_ms": round(statistics.median(each.cold_ms for each in lives), 1),
        "warm_ms": round(statistics.median(ms for each in lives for ms in each.warm_ms), 1),
        "peak_mb": round(max(each.peak_mb for each in lives), 1),
    }


def measure_models() -> int:
    options = _parser().parse_args()
    check_outputs(options.json)
    if not docker_answers():
        raise UsageError("Docker is not running. Start it and try again.")
    figures: dict[str, Any] = {**when_and_where(), "memory_mb": MEMORY_MB}
    for network in tqdm(NETWORKS, "Building images", unit="image", disable=None):
        build_image(image(network), "--build-arg", f"MODEL={network}")
    figures["models"] = measure(NETWORKS, options.rounds, options.warm_requests)
    print("| model | inference ms | cold ms | warm ms | peak MB |")
    print("|---|---|---|---|---|")
    for network, found in figures["models"].items():
        print(f"| {network} | " + " | ".join(map(str, found.values())) + " |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.models",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures")
    number = whole_number()
    add("--rounds", type=number, default=7, metavar="N", help="containers per model (7)")
    add("--warm-requests", type=number, default=20, metavar="N", help="requests of each (20)")
    return parser


if __name__ == "__main__":
    main(measure_models)
