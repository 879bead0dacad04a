"""Measure the container image under Lambda's CPU limits: size, cold start, warm requests, memory.

    python -m local.benchmark.lambda_image [--json FILE]

For each memory size a container gets the share of a CPU that Lambda gives, memory / 1769 MB, in
periods short enough to slow down even a single request. A cold start is the first invocation of a
fresh container, from request to response: the runtime starts, imports the code, loads the model and
classifies a photo.
"""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.common.cli import OneLineParser, UsageError, check_outputs, main
from local.common.emulator import Function, docker, docker_answers, python_in, running
from local.common.machine import when_and_where
from local.common.paths import SAMPLE
from local.loadtest.lambda_target import function_url_event
from local.loadtest.payload import Payload
from local.simulation.aws_figures import VCPU

IMAGE: Final = "classifier-measured"
BASE: Final = "public.ecr.aws/lambda/python:3.13"
MEMORY_MB: Final = (512, 1024, int(VCPU.value))

PERIOD_US: Final = 20_000
"""The container gets its CPU share in each period. With Docker's default of 100 ms, one request
after a pause would run at full speed for any memory size."""

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.lambda_image --cold-starts 1 --warm-requests 5     takes half a minute
  python -m local.benchmark.lambda_image --json docs/measured/lambda.json
"""

IMPORTS: Final = "import classifier.api.lambda_app, classifier.aws_lambda.handler, numpy"

_FRACTIONS: Final = f"""
import json, time
clock = [time.perf_counter()]
{IMPORTS}
clock.append(time.perf_counter())
from classifier import model
from classifier.settings import Settings
settings = Settings.from_environment()
artifact = model.read_artifact(settings.model_dir)
clock.append(time.perf_counter())
session = model.create_session(artifact.graph, settings.intra_op_threads)
clock.append(time.perf_counter())
pixels = numpy.zeros((1, artifact.card.size, artifact.card.size, 3), numpy.uint8)
session.run(None, {{session.get_inputs()[0].name: pixels}})
clock.append(time.perf_counter())
print(json.dumps([(b - a) * 1e3 for a, b in zip(clock, clock[1:])]))
"""

_PEAK: Final = """
import pathlib
peaks = [0]
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    text = status.read_text()
    if "bootstrap.py" in (status.parent / "cmdline").read_text():
        peaks += [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")]
print(max(peaks))
"""


def measure(memory_mb: int, cold_starts: int, warm_requests: int) -> dict[str, Any]:
    """Medians of one memory size, in milliseconds and MB."""
    lives = [life(IMAGE, memory_mb, warm_requests) for _ in range(cold_starts)]
    measured = [parts(memory_mb) for _ in range(cold_starts)]
    names = ("imports", "read model", "session", "first run")
    return {
        "memory_mb": memory_mb,
        "cold_ms": round(statistics.median(each.cold_ms for each in lives), 1),
        "parts_ms": {
            name: round(statistics.median(part), 1)
            for name, part in zip(names, zip(*measured, strict=True), strict=True)
        },
        "warm_ms": round(statistics.median(ms for each in lives for ms in each.warm_ms), 1),
        "peak_mb": round(max(each.peak_mb for each in lives), 1),
    }


@dataclass(frozen=True)
class Life:
    """One container: its cold start and warm requests in milliseconds, and its peak memory."""

    cold_ms: float
    warm_ms: Sequence[float]
    peak_mb: float


def life(image: str, memory_mb: int, warm_requests: int) -> Life:
    """Start a container of `image` with the CPU share of `memory_mb`, and send it photos."""
    photo = function_url_event(Payload(SAMPLE.read_bytes(), "image/jpeg"))
    with running(image, *limits(memory_mb), environment=_environment(memory_mb)) as function:
        cold, *warm = [_invoke_ms(function, photo) for _ in range(1 + warm_requests)]
        return Life(cold, warm, int(python_in(function.container, _PEAK)) / 1024)


def limits(memory_mb: int) -> list[str]:
    """Options of docker run: the memory and its CPU share."""
    share = memory_mb / VCPU.value
    return [
        *("--memory", f"{memory_mb}m"),
        *("--cpu-period", str(PERIOD_US), "--cpu-quota", str(round(share * PERIOD_US))),
    ]


def _environment(memory_mb: int) -> dict[str, str]:
    """What the emulator does not set as Lambda does."""
    return {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }


def _invoke_ms(function: Function, event: object) -> float:
    """The time of one invocation. Raises `RuntimeError` if it does not succeed."""
    start = time.perf_counter()
    response = function.invoke(event)
    if response.get("statusCode") != 200:
        raise RuntimeError(f"the function returned {str(response)[:300]}")
    return (time.perf_counter() - start) * 1e3


def parts(memory_mb: int) -> list[float]:
    """Milliseconds of the imports, of reading the model, of its session and its first run."""
    variables = [
        part for pair in _environment(memory_mb).items() for part in ("-e", "=".join(pair))
    ]
    program = ["--entrypoint", "python", IMAGE, "-c", _FRACTIONS]
    run = ("run", "--rm", *limits(memory_mb), *variables, *program)
    measured: list[float] = json.loads(docker(*run))
    return measured


def build_image(tag: str, *options: str) -> None:
    """Build the image of the function with `options` of docker build. Raises `UsageError`."""
    try:
        docker("build", "--quiet", "--tag", tag, *options, ".", timeout=1800)
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().splitlines() or ["docker build printed no error"]
        command = " ".join(["docker build", *options, "."])
        raise UsageError(f"The image cannot be built: {why[-1]}. Try: {command}") from None


def image_megabytes() -> dict[str, float]:
    """Size of the image, and of the layers on top of the base, in 10^6 bytes."""
    whole, base = (int(docker("inspect", "-f", "{{.Size}}", name)) for name in (IMAGE, BASE))
    return {"image_mb": round(whole / 1e6, 1), "added_mb": round((whole - base) / 1e6, 1)}


def package_megabytes() -> dict[str, float]:
    """The largest folders of the task root, in 10^6 bytes."""
    listing = docker("run", "--rm", "--entrypoint", "du", IMAGE, "-sb", "--", *_folders())
    sizes = {}
    for line in listing.splitlines():
        size, path = line.split("\t")
        sizes[Path(path).name] = round(int(size) / 1e6, 1)
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    return dict(largest[:10])


def _folders() -> list[str]:
    names = docker("run", "--rm", "--entrypoint", "ls", IMAGE, "-A", "/var/task").split()
    return [f"/var/task/{name}" for name in names]


def measure_lambda() -> int:
    options = _parser().parse_args()
    if options.cold_starts < 1 or options.warm_requests < 1:
        raise UsageError("--cold-starts and --warm-requests must be 1 or more.")
    check_outputs(options.json)
    if not docker_answers():
        raise UsageError("Docker is not running. Start it and try again.")
    build_image(IMAGE)
    where = when_and_where()
    packages = {"packages_mb": package_megabytes()}
    figures: dict[str, Any] = {**where, **image_megabytes(), **packages, "sizes": []}
    print(f"image {figures['image_mb']} MB, {figures['added_mb']} MB of it on top of the base")
    print("  " + ", ".join(f"{name} {size}" for name, size in figures["packages_mb"].items()))
    print("| MB | cold ms | imports | read model | session | first run | warm ms | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for memory_mb in MEMORY_MB:
        row = measure(memory_mb, options.cold_starts, options.warm_requests)
        figures["sizes"].append(row)
        fractions = " | ".join(f"{value:.0f}" for value in row["parts_ms"].values())
        cold, warm = row["cold_ms"], row["warm_ms"]
        print(
            f"| {memory_mb} | {cold:.0f} | {fractions} | {warm:.1f} | {row['peak_mb']:.0f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.lambda_image",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--cold-starts", type=int, default=5, metavar="N", help="containers per memory size (5)")
    add("--warm-requests", type=int, default=20, metavar="N", help="requests per container (20)")
    return parser


if __name__ == "__main__":
    main(measure_lambda)
