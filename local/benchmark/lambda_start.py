"""Measure the start of the function, import by import, and the memory that its processes share.

    python -m local.benchmark.lambda_start [--json FILE]

The container has one full CPU. Each time is the fastest of several starts, which other programs on
the machine have delayed least. The time of a module does not include the modules that it imports;
one that several packages import counts once, for itself.

The memory is that of an environment of Lambda Managed Instances: processes that each have
classified a photo at the same moment.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from local.benchmark.lambda_image import IMAGE, IMPORTS, build_image, limits, parts
from local.common.cli import OneLineParser, UsageError, check_outputs, main
from local.common.emulator import docker, docker_answers, invoke_at_once
from local.common.machine import when_and_where
from local.common.paths import SAMPLE
from local.loadtest.lambda_target import function_url_event
from local.loadtest.payload import Payload
from local.simulation.aws_figures import VCPU

PROCESSES: Final = 8

_MEMORY_MB: Final = int(VCPU.value)
_INSTANCE_MB: Final = 4096
_STARTED: Final = "site"
"""The last module that Python imports by itself"""

_PACKAGES: Final[Mapping[str, str]] = {
    "numpy": "NumPy",
    "onnxruntime": "ONNX Runtime",
    "PIL": "Pillow",
    "starlette": "Starlette, AnyIO and python-multipart",
    "anyio": "Starlette, AnyIO and python-multipart",
    "python_multipart": "Starlette, AnyIO and python-multipart",
    "mangum": "Mangum and typing-extensions",
    "typing_extensions": "Mangum and typing-extensions",
    "classifier": "the service",
}
_STANDARD: Final = "Python's standard library"

_LINE: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.lambda_start --starts 2     takes some seconds
  python -m local.benchmark.lambda_start --json docs/measured/lambda-start.json
"""


def modules(log: str) -> list[tuple[str, int]]:
    """The modules in the order in which python -X importtime has written them, with the
    microseconds of each, without those that Python imports by itself."""
    lines = [(found[2], int(found[1])) for found in _LINE.finditer(log)]
    names = [name for name, _ in lines]
    return lines[names.index(_STARTED) + 1 :]


def by_package(logs: Iterable[str]) -> dict[str, dict[str, float]]:
    """Milliseconds and number of modules for each group of packages, the slowest first. A module's
    time is the least in all `logs`."""
    groups: dict[str, list[int]] = {}
    for same in zip(*map(modules, logs), strict=True):
        name = same[0][0].partition(".")[0]
        group = groups.setdefault(_PACKAGES.get(name, _STANDARD), [])
        group.append(min(microseconds for _, microseconds in same))
    slowest = sorted(groups.items(), key=lambda item: -sum(item[1]))
    return {
        group: {"ms": round(sum(times) / 1e3, 1), "modules": len(times)} for group, times in slowest
    }


def start_figures(starts: int) -> dict[str, Any]:
    """The parts of the start."""
    environment = ("--env", f"AWS_LAMBDA_FUNCTION_MEMORY_SIZE={_MEMORY_MB}")
    command = ("--entrypoint", "sh", IMAGE, "-c", f"python -X importtime -c '{IMPORTS}' 2>&1")
    run = ("run", "--rm", *limits(_MEMORY_MB), *environment, *command)
    logs = [docker(*run) for _ in range(starts)]
    model = [min(times) for times in zip(*(parts(_MEMORY_MB) for _ in range(starts)), strict=True)]
    names = ("read model", "session", "first run")
    return {
        "imports": by_package(logs),
        "model_ms": {name: round(ms, 1) for name, ms in zip(names, model[1:], strict=True)},
    }


def memory_figures() -> dict[str, Any]:
    """MiB of a process among others."""
    photo = function_url_event(Payload(SAMPLE.read_bytes(), "image/jpeg"))
    memory = ("--memory", f"{_INSTANCE_MB}m")
    variables = ("--env", f"AWS_LAMBDA_FUNCTION_MEMORY_SIZE={_INSTANCE_MB}")
    outcome = invoke_at_once(IMAGE, [photo] * PROCESSES, PROCESSES, *memory, *variables)
    if outcome["failed"] or None in outcome["responses"]:
        raise RuntimeError(f"the function failed: {outcome['failed']} {outcome['log'][-300:]}")
    rss, pss = (
        round(statistics.median(process[name] for process in outcome["processes"]), 1)
        for name in ("rss", "pss")
    )
    return {"processes": PROCESSES, "rss_mib": rss, "pss_mib": pss}


def measure_start() -> int:
    options = _parser().parse_args()
    if options.starts < 1:
        raise UsageError("--starts must be 1 or more.")
    check_outputs(options.json)
    if not docker_answers():
        raise UsageError("Docker is not running. Start it and try again.")
    build_image(IMAGE)
    figures = {
        **when_and_where(),
        "starts": options.starts,
        **start_figures(options.starts),
        "managed_instance": memory_figures(),
    }
    text = json.dumps(figures, indent=2) + "\n"
    if options.json:
        options.json.write_text(text)
    else:
        sys.stdout.write(text)
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.lambda_start",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--starts", type=int, default=15, metavar="N", help="starts of the function (15)")
    return parser


if __name__ == "__main__":
    main(measure_start)
