"""Classify with every client, and print what each sends and gets.

Each sends a photo, then a body above the limit, several times, and a file that is not an image.
Exit status 1 if a client does not get 200, 413 and 415 or 422, as JSON.

examples:
  make clients                               renew the table in docs/clients.md
  python -m tests.clients --only wget        the clients with wget in their names
  python -m tests.clients --before ../v1 --json docs/measured/clients.json

--before tries the service of another checkout as well, in the environment of this one. Without it
the file keeps its outcomes.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.common.cli import OneLineParser, UsageError
from local.common.machine import when_and_where
from local.docs.clients import render
from tests.clients.catalogue import CLIENTS
from tests.clients.client import Client
from tests.clients.sends import sends
from tests.clients.trial import Trial, trial
from tests.clients.workshop import RUN_SECONDS

TRIES: Final = 5
"""Bodies above the limit: whether the response arrives may depend on chance."""

_RIGHT: Final = (("200",), ("413",), ("415", "422"))

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", default="", metavar="TEXT", help="only clients with TEXT in their names")
    add("--before", type=Path, metavar="DIR", help="also the service of another checkout")
    add("--json", type=Path, metavar="FILE", help="write the outcomes of all clients to FILE")
    try:
        options = parser.parse_args(arguments)
        chosen = _chosen(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = [_about(client) for client in chosen]
    if options.before:
        _try_all(chosen, rows, "before", "--app-dir", str(options.before.resolve() / "function"))
    _try_all(chosen, rows, "now")
    figures = {**when_and_where(), "tries": TRIES, "clients": rows}
    if options.json:
        if not options.before:
            _keep_before(rows, options.json)
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(render(figures))
    failed = [row["name"] for row in rows if not _is_right(row)]
    if failed:
        print(f"error: not as it should be: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _chosen(options: argparse.Namespace) -> list[Client]:
    """Raises `UsageError`."""
    chosen = [client for client in CLIENTS if options.only in client.name]
    if not chosen:
        raise UsageError(f"--only: no client has {options.only!r} in its name.")
    if options.only and options.json:
        raise UsageError("--json is for all clients: leave --only out.")
    if options.before and not (options.before / "function" / "main.py").exists():
        raise UsageError(f"--before: {str(options.before)!r} is not a checkout of this project.")
    missing = {tool for client in chosen for tool in client.needs if tool.is_missing()}
    if missing:
        raise UsageError(
            "; ".join(sorted(f"{tool.name} is missing: {tool.install}" for tool in missing))
        )
    return chosen


def _about(client: Client) -> Figures:
    return {"name": client.name, "command": client.command, "file": client.file}


def _try_all(clients: list[Client], rows: list[Figures], key: str, *options: str) -> None:
    """Add the outcomes to `rows`, as `key`; with the versions and the heads."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        trial(Path(folder), *options) as running,
    ):
        for client, row in zip(clients, rows, strict=True):
            print(f"{key}: {client.name}", file=sys.stderr)
            row["version"] = running.workshop.version(client)
            used = running.photo(client)
            assert used.heads, used.run
            row["sends"] = sends(used.heads[0])
            row["connections"] = len(used.heads) if client.reuses else None
            words = {outcome.word() for outcome in used.run.outcomes} or {used.run.word}
            photo = " or ".join(sorted(words))
            row[key] = [photo, _too_large(running, client), running.text(client).word]


def _too_large(running: Trial, client: Client) -> str:
    """The outcome; if it varies, how often there is a response. A client that hangs is tried
    once."""
    words: Counter[str] = Counter()
    for _ in range(TRIES):
        run = running.too_large(client)
        if run.hung:
            return f"hangs for {RUN_SECONDS} s"
        words[run.word] += 1
    ((word, times),) = words.most_common(1)
    return word if times == TRIES else f"{word} in {times} of {TRIES}"


def _keep_before(rows: list[Figures], path: Path) -> None:
    """Copy the outcomes before from the file at `path`, if it is there."""
    old = json.loads(path.read_text("utf-8"))["clients"] if path.exists() else []
    before = {row["name"]: row.get("before") for row in old}
    for row in rows:
        row["before"] = before.get(row["name"])


def _is_right(row: Figures) -> bool:
    outcomes_right = all(word in right for word, right in zip(row["now"], _RIGHT, strict=True))
    return outcomes_right and row["connections"] in {None, 1}
