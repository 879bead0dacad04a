"""The table of the photos, for the terminal and the documentation."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

Figures = Mapping[str, Any]

SLOW_MS: Final = 1000
"""CPU time that the table marks"""

ACCEPTED: Final = "200"


def header(figures: Figures) -> tuple[str, ...]:
    memory = (size["title"] for size in figures["memory"])
    return ("photo", "file MB", "CPU ms", "peak MB", *memory)


def rows(figures: Figures) -> Iterator[Sequence[str]]:
    """A row for each photo: CPU time is the median of the memory sizes that accept it, peak memory
    the largest."""
    names = [size["name"] for size in figures["memory"]]
    for photo in figures["photos"]:
        if "why" in photo:
            yield (photo["title"], photo["why"])
            continue
        found = photo["outcomes"]
        accepted = [outcome for outcome in found.values() if outcome["result"] == ACCEPTED]
        cpu = median(outcome["cpu_ms"] for outcome in accepted) if accepted else None
        peak = max((outcome["peak_mb"] for outcome in accepted), default=None)
        yield (
            photo["title"],
            f"{photo['bytes'] / 1e6:.1f}",
            "" if cpu is None else _marked(cpu),
            "" if peak is None else f"{peak:.0f}",
            *(result(found[name]) if name in found else "" for name in names),
        )


def result(outcome: Figures) -> str:
    """ "ok", or what went wrong."""
    if outcome["result"] != ACCEPTED:
        return str(outcome["result"])
    return "ok" if outcome["same_class"] else "other class"


def note(figures: Figures) -> str:
    """Where and how the figures were measured."""
    where = "a container" if figures["container"] else "a process with the settings of a container"
    idle = ", ".join(f"{size['idle_mb']:.0f} with {size['title']}" for size in figures["memory"])
    return (
        f"One photo at a time, in {where} with one CPU; peak memory is that of the service's "
        f"process, which takes at rest, in MB: {idle}. Bold: more than a second of one core."
    )


def _marked(cpu_ms: float) -> str:
    return f"**{cpu_ms:.0f}**" if cpu_ms > SLOW_MS else f"{cpu_ms:.0f}"
