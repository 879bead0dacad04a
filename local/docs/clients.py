"""The clients that the tests run: what each sends and gets, and their programs."""

import json
from typing import Any, Final

from local.common.markdown import table
from local.common.paths import ROOT
from local.docs.measurements import MEASURED, where

_PROGRAMS: Final = ROOT / "tests" / "clients" / "programs"
_LANGUAGES: Final = {
    ".go": "go",
    ".java": "java",
    ".mjs": "js",
    ".php": "php",
    ".pl": "perl",
    ".py": "python",
    ".rb": "ruby",
}

Figures = dict[str, Any]


def clients_table() -> str:
    """One row for each client."""
    figures = _figures()
    note = f"{where(figures)}. Bodies above the limit were sent {figures['tries']} times."
    return f"{render(figures)}\n\n{note}"


def client_commands() -> str:
    """The commands of the clients that need no program."""
    rows = [row for row in _figures()["clients"] if not row["file"]]
    lines = list(dict.fromkeys(row["command"] for row in rows))
    return "```sh\n" + "\n".join(lines) + "\n```"


def client_programs() -> str:
    """Each program, below its client's name."""
    rows = [row for row in _figures()["clients"] if row["file"]]
    return "\n\n".join(_program(row) for row in rows)


def render(figures: Figures) -> str:
    """The table; `figures` are as `python -m tests.clients` writes them."""
    return table(
        ("client", "version", "sends", "before", "now", "connections"),
        [
            (
                row["name"],
                row["version"],
                _escaped(row["sends"]),
                _cell(row.get("before")),
                _cell(row["now"]),
                str(row["connections"] or ""),
            )
            for row in figures["clients"]
        ],
        numbers_from=5,
    )


def _program(row: Figures) -> str:
    path = _PROGRAMS / row["file"]
    code = path.read_text("utf-8").rstrip()
    return f"### {row['name']}\n\n```{_LANGUAGES[path.suffix]}\n{code}\n```"


def _figures() -> Figures:
    figures: Figures = json.loads((MEASURED / "clients.json").read_text("utf-8"))
    return figures


def _cell(outcomes: list[str] | None) -> str:
    return " · ".join(outcomes or [])


def _escaped(text: str) -> str:
    """`text` as code, so that its asterisks stay."""
    return f"`{text}`"
