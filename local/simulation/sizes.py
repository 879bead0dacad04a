"""Durations for a memory size and an architecture, from those that were measured.

AWS allots CPU in proportion to memory, one vCPU at 1,769 MB. Durations of another size are scaled
by the CPU share: below one vCPU a request takes longer in inverse proportion. Above it, nothing
gets faster: only a part with several threads would, and how much is not known without a
measurement. The container with the CPU share of each size (docs/measured/lambda.json) took 4.1
times as long with 512 MB as with 1,769, warm, where this rule says 3.5.

Without a measurement on an architecture, durations are taken to be the same on both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from local.simulation import aws_figures
from local.simulation.durations import Durations, Scaled
from local.simulation.measured import ARCHITECTURES, Measured

MEMORY_MB: Final = int(aws_figures.VCPU.value)
"""The memory of a function if nothing states it: one vCPU."""

MEASURED: Final = "measured"
"""The `source` of durations of this size and architecture."""


@dataclass(frozen=True)
class Sized:
    """Durations for a memory size and an architecture; None if nothing states them."""

    memory_mb: int
    architecture: str
    cold: Durations | None
    warm: Durations | None
    source: str
    """`MEASURED`, or the size and the architecture that they were measured with."""
    factor: float = 1
    """How many times as long they are as measured."""


def cpu_factor(measured_mb: int, memory_mb: int) -> float:
    """How many times as long a request takes with `memory_mb` as with `measured_mb`."""
    return min(measured_mb, MEMORY_MB) / min(memory_mb, MEMORY_MB)


def durations_for(
    known: Sequence[Measured], memory_mb: int | None, architecture: str | None
) -> Sized:
    """The durations for a size and an architecture: those measured, or else scaled from the closest
    size, if possible of the same architecture. None: the largest size, or its architecture."""
    if not known:
        memory = memory_mb or MEMORY_MB
        return Sized(memory, architecture or ARCHITECTURES[0], None, None, MEASURED)
    best = min(known, key=lambda one: _distance(one, memory_mb, architecture))
    measured_mb = best.memory_mb or memory_mb or MEMORY_MB
    memory = memory_mb or measured_mb
    wanted = architecture or best.architecture or ARCHITECTURES[0]
    factor = cpu_factor(measured_mb, memory)
    cold, warm = (_scaled(durations, factor) for durations in (best.cold, best.warm))
    return Sized(memory, wanted, cold, warm, _source(best, memory, wanted), factor)


def _scaled(durations: Durations | None, factor: float) -> Durations | None:
    return Scaled(durations, factor) if durations is not None and factor != 1 else durations


def _distance(one: Measured, memory_mb: int | None, architecture: str | None) -> tuple[int, float]:
    other = architecture is not None and one.architecture not in (None, architecture)
    if one.memory_mb is None:
        return other, 0
    return other, abs(math.log(one.memory_mb / memory_mb)) if memory_mb else -one.memory_mb


def _source(best: Measured, memory_mb: int, architecture: str) -> str:
    parts = []
    if best.memory_mb not in (None, memory_mb):
        parts.append(f"{best.memory_mb:,} MB")
    if best.architecture not in (None, architecture):
        parts.append(str(best.architecture))
    return ", ".join(parts) or MEASURED
