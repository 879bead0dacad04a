"""The file of measured durations: a JSON object; every key is optional.

    {"cold_ms": [1480, 1512, 1495], "warm_ms": {"p50": 25, "p99": 60},
     "memory_mb": 1769, "architecture": "x86_64"}

cold_ms: latency of a new environment: INIT and the first request.
warm_ms: latency of a used environment. Each is a number, a list of numbers, or an
object with p50 and p99. Other keys are ignored.

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


def read_measured(path: Path, memory_mb: int | None = None) -> Measured:
    """The measured durations; of several memory sizes that of `memory_mb`, by default the largest.

    Raises `MeasuredError`.
    """
    content = read_object(path)
    if "sizes" in content:
        content = _of_size(path, content["sizes"], memory_mb)
    memory = content.get("memory_mb")
    least, most = int(aws_figures.MEMORY_MIN.value), int(aws_figures.MEMORY_MAX.value)
    if memory is not None and not (isinstance(memory, int) and least <= memory <= most):
        raise MeasuredError(
            f"{path}: memory_mb must be a whole number from {least} to {most}, not {memory!r}"
        )
    architecture = content.get("architecture")
    if architecture is not None and architecture not in ARCHITECTURES:
        known = " or ".join(ARCHITECTURES)
        raise MeasuredError(f"{path}: architecture must be {known}, not {architecture!r}")
    return Measured(
        _durations(path, content, "cold_ms"),
        _durations(path, content, "warm_ms"),
        memory,
        architecture,
    )


def read_object(path: Path) -> dict[str, object]:
    """The JSON object in a file. Raises `MeasuredError`."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MeasuredError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MeasuredError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise MeasuredError(f"{path} must hold a JSON object")
    return content


def _of_size(path: Path, sizes: object, memory_mb: int | None) -> dict[str, object]:
    entries = sizes if isinstance(sizes, list) else []
    by_size = {
        entry["memory_mb"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("memory_mb"), int)
    }
    if not by_size or len(by_size) < len(entries):
        raise MeasuredError(f"{path}: sizes must be a list of objects, each with its memory_mb")
    if (memory_mb or max(by_size)) not in by_size:
        known = ", ".join(str(size) for size in sorted(by_size))
        raise MeasuredError(f"{path} has no figures for {memory_mb} MB, only for {known}")
    return by_size[memory_mb or max(by_size)]


def _durations(path: Path, content: dict[str, object], key: str) -> Durations | None:
    if content.get(key) is None:
        return None
    try:
        return durations_from_json(content[key])
    except DurationsError as error:
        raise MeasuredError(f"{path}: {key}: {error}") from error
