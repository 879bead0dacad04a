"""The file of measured durations: a JSON object; every key is optional.

    {"cold_ms": [1480, 1512, 1495], "warm_ms": {"p50": 25, "p99": 60},
     "memory_mb": 1769, "architecture": "x86_64"}

cold_ms: latency of a new environment: INIT and the first request.
warm_ms: latency of a used environment. Each is a number, a list of numbers, or an
object with p50 and p99. Other keys are ignored. `local.simulation.sizes` chooses among several.

For several memory sizes, `sizes` is a list of such objects, each with memory_mb, as
`python -m local.benchmark.lambda_image --json FILE` writes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.simulation import aws_figures
from local.simulation.durations import Durations, DurationsError, durations_from_json

ARCHITECTURES: Final = ("x86_64", "arm64")


class MeasuredError(ValueError):
    """The file is not usable; the message says why."""


@dataclass(frozen=True)
class Measured:
    cold: Durations | None = None
    warm: Durations | None = None
    memory_mb: int | None = None
    architecture: str | None = None


def read_measured(path: Path) -> list[Measured]:
    """The measured durations, of each memory size in the file. Raises `MeasuredError`."""
    content = read_object(path)
    if "sizes" not in content:
        return [_measured(path, content)]
    sizes = content["sizes"]
    entries = sizes if isinstance(sizes, list) else []
    if not entries or not all(isinstance(e, dict) and "memory_mb" in e for e in entries):
        raise MeasuredError(f"{path}: sizes must be a list of objects, each with its memory_mb")
    shared = {key: value for key, value in content.items() if key in ("architecture", "machine")}
    return [_measured(path, {**shared, **entry}) for entry in entries]


def read_load_report(path: Path) -> dict[str, object]:
    """The JSON of a load test. Raises `MeasuredError`."""
    content = read_object(path)
    if "requests" not in content and not isinstance(content.get("latency_ms"), dict):
        raise MeasuredError(f"{path} is not the report of a load test, written with --json")
    return content


def read_object(path: Path) -> dict[str, object]:
    """The JSON object in a file. Raises `MeasuredError`."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MeasuredError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise MeasuredError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise MeasuredError(f"{path} must hold a JSON object")
    return content


def _measured(path: Path, content: dict[str, object]) -> Measured:
    memory = content.get("memory_mb")
    least, most = int(aws_figures.MEMORY_MIN.value), int(aws_figures.MEMORY_MAX.value)
    if memory is not None and not (isinstance(memory, int) and least <= memory <= most):
        raise MeasuredError(
            f"{path}: memory_mb must be a whole number from {least} to {most}, not {memory!r}"
        )
    architecture = content.get("architecture", _of_machine(content.get("machine")))
    if architecture is not None and architecture not in ARCHITECTURES:
        known = " or ".join(ARCHITECTURES)
        raise MeasuredError(f"{path}: architecture must be {known}, not {architecture!r}")
    return Measured(
        _durations(path, content, "cold_ms"),
        _durations(path, content, "warm_ms"),
        memory,
        architecture,
    )


def _of_machine(machine: object) -> str | None:
    """The architecture of the machine that `local.common.machine` describes."""
    system = machine.get("system") if isinstance(machine, dict) else None
    known = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    return known.get(str(system).rpartition(" ")[2])


def _durations(path: Path, content: dict[str, object], key: str) -> Durations | None:
    if content.get(key) is None:
        return None
    try:
        return durations_from_json(content[key])
    except DurationsError as error:
        raise MeasuredError(f"{path}: {key}: {error}") from error
