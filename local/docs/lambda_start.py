"""The start of the function, import by import, and the memory of its processes."""

from local.common.markdown import table
from local.docs.measurements import Figures, read, where


def _figures() -> Figures:
    return read("lambda-start.json")


def imports_table() -> str:
    """The parts of a start at full CPU."""
    figures = _figures()
    rows = [
        (f"import {package}", f"{part['ms']:.0f}", str(part["modules"]))
        for package, part in figures["imports"].items()
    ]
    rows += [(part, f"{ms:.0f}", "") for part, ms in figures["model_ms"].items()]
    text = table(("part of a start", "ms", "modules"), rows, numbers_from=1)
    return f"{text}\n\n{where(figures)}; the fastest of {figures['starts']} starts."


def managed_instances() -> str:
    """Memory of a process."""
    figures = _figures()
    memory = figures["managed_instance"]
    return (
        f"Of {memory['processes']} processes that share an environment, each takes "
        f"{memory['pss_mib']:.0f} MiB of its memory ({memory['rss_mib']:.0f} MiB with the files "
        f"that all of them use), beside the photo. {where(figures)}."
    )
