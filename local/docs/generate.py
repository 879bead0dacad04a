"""Write the generated parts of README.md, SECURITY.md and docs/*.md, in place, and the plots.

A generated part stands between `<!-- made: NAME -->` and `<!-- end -->`. Settings and limits come
from the code, model facts from the model card, speed and cost from docs/measured/*.json, which
`make measure` writes.

examples:
  make readme                     write all parts
  python -m local.docs --check    write nothing; exit status 1 if a part is out of date
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, UsageError
from local.common.paths import ROOT
from local.docs.choice import choice_table
from local.docs.clients import client_commands, client_programs, clients_table
from local.docs.comparison import comparison_table
from local.docs.confidence import confidence_table, reliability_plot
from local.docs.cores import cores_table
from local.docs.cost import batch_table, cost_parts_table, cost_table
from local.docs.every_cpu import every_cpu_table
from local.docs.lambda_start import imports_table, managed_instances
from local.docs.measurements import benchmark_report, cold_start_table, speed_table
from local.docs.metrics import metrics_table, old_metrics_table
from local.docs.model import accuracy_table, model_table
from local.docs.overload import overload_plot, overload_tables
from local.docs.own_models import own_models_table
from local.docs.photos import estimates_table, photos_table
from local.docs.problems import problems_table
from local.docs.settings import limits_table, settings_table
from local.docs.sizing import sizing_table

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "settings": settings_table,
    "limits": limits_table,
    "problems": problems_table,
    "metrics": metrics_table,
    "old metrics": old_metrics_table,
    "model": model_table,
    "accuracy": accuracy_table,
    "choice": choice_table,
    "confidence": confidence_table,
    "speed": speed_table,
    "benchmark": benchmark_report,
    "cold starts": cold_start_table,
    "imports": imports_table,
    "managed instances": managed_instances,
    "cost": cost_table,
    "cost parts": cost_parts_table,
    "batch cost": batch_table,
    "clients": clients_table,
    "client commands": client_commands,
    "client programs": client_programs,
    "cores": cores_table,
    "every cpu": every_cpu_table,
    "photos": photos_table,
    "estimates": estimates_table,
    "overload": overload_tables,
    "own models": own_models_table,
    "comparison": comparison_table,
    "sizing": sizing_table,
}
PLOTS: Final[Mapping[str, Callable[[], str]]] = {
    "goodput.svg": overload_plot,
    "reliability.svg": reliability_plot,
}
"""By file name, in docs/images"""

IMAGES: Final = ROOT / "docs" / "images"

_PART: Final = re.compile(r"(<!-- made: ([^>]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_MARKER: Final = re.compile(r"<!-- (?:made: .*?|end) -->")


class MarkerError(ValueError):
    """The markers of a page are invalid; the message says which."""


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def render(page: str, parts: Mapping[str, Callable[[], str]] = PARTS) -> str:
    """The page with every part regenerated. Raises `MarkerError`."""

    def fill(found: re.Match[str]) -> str:
        if found[2] not in parts:
            raise MarkerError(f"there is no part {found[2]!r}. Use one of {', '.join(parts)}")
        return f"{found[1]}\n{parts[found[2]]()}\n\n{found[4]}"

    if len(_MARKER.findall(page)) != 2 * len(_PART.findall(page)):
        raise MarkerError("each `<!-- made: NAME -->` needs an `<!-- end -->` below it")
    return _PART.sub(fill, page)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m local.docs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if a part is out of date"
    )
    try:
        check = parser.parse_args(arguments).check
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    made: dict[Path, str] = {IMAGES / name: plot() for name, plot in PLOTS.items()}
    for path in pages():
        try:
            made[path] = render(path.read_text("utf-8"))
        except MarkerError as error:
            print(f"error: {path.relative_to(ROOT)}: {error}.", file=sys.stderr)
            return 2
    changed = []
    for path, text in made.items():
        if not path.exists() or path.read_text("utf-8") != text:
            changed.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(text, "utf-8")
    if check and changed:
        print(f"error: {', '.join(changed)} out of date. Run: make readme", file=sys.stderr)
        return 1
    print("\n".join(f"wrote {name}" for name in changed) or "Every part is up to date.")
    return 0
