"""Self-contained HTML pages, which share their style and have each plot in two widths.

Jinja2 would be another dependency; the pages need no loops in their templates.
"""

from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Final

from local.loadtest.report.plots import NARROW, WIDE

_FOLDER: Final = Path(__file__).parent

Draw = Callable[[float], str]
"""A plot as SVG by its width in inches."""


def fill(template: str, **parts: str) -> str:
    """The page of a template in this folder, with the style and with `parts`, which are HTML.
    Raises `KeyError` if the template has a part that is not given."""
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    text = (_FOLDER / template).read_text(encoding="utf-8")
    return Template(text).substitute(parts, style=style)


def both_widths(label: str, draw: Draw) -> str:
    """The plot in two widths, of which the page shows the one that is legible. label: in HTML."""
    drawings = "".join(
        f'<div class="{name}">{draw(width)}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    )
    named = drawings.replace("<svg ", f'<svg role="img" aria-label="{label}" ')
    return f"<figure>{named}</figure>"
