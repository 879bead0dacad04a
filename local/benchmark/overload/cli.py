"""The command line of `python -m local.benchmark.overload`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from local.benchmark.client.load import write_requests
from local.benchmark.competitors.environments import python_of
from local.benchmark.images import typical_jpegs
from local.benchmark.overload.figures import figures_of, targets_of
from local.benchmark.overload.open_loop import measure_open_loop
from local.benchmark.overload.plan import FULL, QUICK, REFERENCE, Effort
from local.benchmark.overload.rounds import Images, limits, measure_round
from local.benchmark.overload.tables import goodput_table, polite_table, service_table
from local.benchmark.servers.server import (
    COMPETITORS,
    SERVICE,
    MeasurementError,
    Server,
    earlier,
)
from local.common.cli import (
    OneLineParser,
    UsageError,
    check_outputs,
    exit_on_sigterm,
    print_progress,
    whole_number,
)
from local.common.descriptors import allow_descriptors
from local.common.machine import facts, version
from local.common.paths import FUNCTION
from local.common.verdict import Figures, add_gross_option, judge
from local.loadtest.payload import multipart

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.overload --quick             a minute
  python -m local.benchmark.overload --repeat 3
  python -m local.benchmark.overload --peers --before ../v1 --json overload.json
  python -m local.benchmark.overload --quick --gross     for continuous integration

--before measures the service of another checkout as well, in the environment of this one. Its
figures and those of the other servers have no targets.

exit status: 0 every target met; 1 a target missed, or not measured; 2 invalid arguments
"""

_REPETITIONS: Final = 3
_OPEN_SECONDS: Final = 20.0
_QUICK_OPEN_SECONDS: Final = 8.0
_OTHER_DESCRIPTORS: Final = 256
"""Of a server, for everything but the connections"""

_ERRORS: Final = (MeasurementError, OSError, HTTPException)


@dataclass
class _Series:
    """The repetitions of one server so far, or why it cannot be measured."""

    server: Server
    python: Path
    version: str = ""
    rounds: list[dict[str, Any]] = field(default_factory=list)
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        limit = {} if self.server in COMPETITORS else {"limits": limits(self.server)}
        reason = {"why": self.why} if self.why else {}
        title = f"{self.server.title} {self.version}".strip()
        return {"title": title, **limit, **reason, "rounds": self.rounds}


def overload(description: str, arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 if a target was missed or the service could not be measured.
    Raises `UsageError`."""
    options = _parser(description).parse_args(arguments)
    check_outputs(options.json)
    effort = QUICK if options.quick else FULL
    most = max(crowd.connections for crowd in effort.crowds)
    # Servers inherit the limit. The service has no other setting for its connections.
    allow_descriptors(most + _OTHER_DESCRIPTORS)
    exit_on_sigterm()
    try:
        return _measure(options, effort)
    except _ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _measure(options: argparse.Namespace, effort: Effort) -> int:
    series = _series(options)
    # With --gross, the first repetition that is good enough is the last.
    repeat = options.repeat or (1 if options.quick and not options.gross else _REPETITIONS)
    open_seconds = _QUICK_OPEN_SECONDS if options.quick else _OPEN_SECONDS
    open_loops: list[Any] = []
    own, *others = series
    own_limits = limits(own.server)
    minutes = len(series) * repeat * effort.total_seconds / 60
    print_progress(f"about {minutes:.0f} minutes")
    with tempfile.TemporaryDirectory() as name:
        payloads = [multipart(f"{n}.jpg", jpeg) for n, jpeg in enumerate(typical_jpegs())]
        images = Images(payloads[0], write_requests(payloads, Path(name) / "requests"))

        def measure() -> Figures:
            own.rounds.append(measure_round(own.server, own.python, effort, images, print_progress))
            for other in others:
                _measure_other(other, effort, images)
            print_progress("open loop")
            open_loops.append(measure_open_loop(open_seconds))
            return figures_of(own.rounds[-1], own_limits, open_loops[-1])

        status = judge(measure, targets_of(effort), repeat=repeat, gross=options.gross)
    figures = {
        **facts(),
        "image_bytes": round(sum(len(each.content) for each in payloads) / len(payloads)),
        "repeat": len(own.rounds),
        "seconds": effort.seconds,
        "servers": {each.server.key: each.to_json() for each in series},
        "open_loops": open_loops,
    }
    print(_report(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return status


def _measure_other(series: _Series, effort: Effort, images: Images) -> None:
    """Another server may fail; then it is not measured again."""
    if series.why:
        return
    if series.server in COMPETITORS:  # they send no Retry-After
        plain = tuple(crowd for crowd in effort.crowds if crowd.is_plain)
        effort = replace(effort, crowds=plain)
    try:
        series.rounds.append(
            measure_round(series.server, series.python, effort, images, print_progress)
        )
    except _ERRORS as error:
        series.why = str(error) or type(error).__name__


def _series(options: argparse.Namespace) -> list[_Series]:
    """The servers to measure, the service first. Raises `UsageError` and `MeasurementError`."""
    here = Path(sys.executable)
    found = [_Series(SERVICE, here)]
    if options.before:
        root = options.before.resolve()
        if not (root / FUNCTION.name / "main.py").is_file():
            raise UsageError(
                f"--before: {str(options.before)!r} is not a checkout of this project."
            )
        found.append(_Series(earlier(root), here))
    if options.peers:
        for server in COMPETITORS:
            python = python_of(server, print_progress)
            found.append(_Series(server, python, version(server.key, python)))
    return found


def _report(figures: Any) -> str:
    parts = [
        f"goodput (÷ at {REFERENCE} connections), p99:",
        goodput_table(figures),
        "this service:",
        service_table(figures),
        polite_table(figures),
        *(
            f"{server['title']} was not measured: {server['why']}"
            for server in figures["servers"].values()
            if "why" in server
        ),
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.overload",
        description=description,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--peers", action="store_true", help="also LitServe and BentoML (pinned, in build/peers)")
    add("--before", type=Path, metavar="DIR", help="also the service of another checkout")
    add("--quick", action="store_true", help="two crowds, one repetition, short windows")
    add(
        "--repeat",
        type=whole_number(),
        metavar="N",
        help=f"repetitions, of which medians count (default: {_REPETITIONS}; 1 with --quick)",
    )
    add_gross_option(parser)
    add("--json", type=Path, metavar="FILE", help="write the figures")
    return parser
