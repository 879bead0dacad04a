"""The rate of many cores by number of processes."""

import json

from local.benchmark import cores
from local.common.markdown import table
from local.docs.measurements import MEASURED, where


def cores_table() -> str:
    """A row for each number of cores and processes, below the figures about the GIL."""
    figures = json.loads((MEASURED / "cores.json").read_text("utf-8"))
    text = table(cores.header(figures), cores.rows(figures), numbers_from=2)
    made = (
        f"{where(figures)}; for each process the best of {figures['repetitions']} loads of "
        f"{figures['seconds']} s, as other activity on the machine only lowers the rate."
    )
    return f"{cores.summary(figures)}\n\n{text}\n\n{made}"
