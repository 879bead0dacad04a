"""The command line of `python -m local.benchmark`."""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.benchmark.client.load import client_name
from local.benchmark.competitors.environments import python_of
from local.benchmark.images import large_jpeg, typical_jpegs
from local.benchmark.rounds import BURSTS, PARTS, BenchmarkPlan, measure
from local.benchmark.servers.server import COMPETITORS, NAIVE, SERVICE, MeasurementError, Server
from local.benchmark.tables import report
from local.benchmark.targets import judge
from local.common.cli import (
    OneLineParser,
    UsageError,
    check_outputs,
    exit_on_sigterm,
    print_progress,
    whole_number,
)
from local.common.machine import facts, version
from local.common.paths import FLOAT_MODEL
from local.common.verdict import GROSS_RUNS, add_gross_option
from local.loadtest.payload import Payload, find_images, multipart

EXAMPLES: Final = f"""\
examples:
  python -m local.benchmark --quick                  a quick check, half a minute
  python -m local.benchmark --peers --json bench.json
  python -m local.benchmark --only load,service      one server under load, and the baseline
  python -m local.benchmark --table bench.json       only print the tables
  python -m local.benchmark --quick --gross          short form, for continuous integration

The verdict below the tables compares the medians of the rounds with their targets. --gross repeats
the whole run, at most {GROSS_RUNS} times. A server whose classes differ from the baseline's counts
as not measured.

exit status: 0 every target met; 1 a target missed, or a part not measured; 2 invalid arguments
"""

_OWN: Final = (SERVICE, NAIVE)
_MAX_SECONDS: Final = 60
_MAX_ROUNDS: Final = 100
_MAX_IMAGES: Final = 50
"""Of a larger folder, this many evenly spaced images: the baseline takes all of them in turn."""


def benchmark(description: str, arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 if a target was missed or a requested part could not be
    measured. Raises `UsageError`."""
    options = _parser(description).parse_args(arguments)
    if options.table:
        print(_report_of(options.table), end="")
        return 0
    if options.images and not options.images.is_dir():
        raise UsageError(f"--images: {str(options.images)!r} is not a folder.")
    check_outputs(options.json)
    parts, servers = _selected(options)
    exit_on_sigterm()

    def run() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            figures = _measure(options, parts, servers, Path(folder))
        print(report(figures), flush=True)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return figures

    try:
        return judge(run, gross=options.gross)
    except MeasurementError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1


def _parser(description: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m local.benchmark",
        description=description,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--peers", action="store_true", help="also LitServe and BentoML (pinned, in build/peers)")
    add(
        "--images",
        type=Path,
        metavar="DIR",
        help="images to send, at most 50 (default: made of the sample)",
    )
    add(
        "--rounds",
        type=whole_number(1, _MAX_ROUNDS),
        default=5,
        metavar="N",
        help="rounds (default: %(default)s)",
    )
    add(
        "--seconds",
        type=whole_number(1, _MAX_SECONDS),
        default=2,
        metavar="S",
        help=f"seconds per load, {BURSTS} loads per server and round (default: %(default)s)",
    )
    add("--quick", action="store_true", help="1 round with loads of 1 second")
    add_gross_option(parser)
    add(
        "--only",
        metavar="NAME,...",
        help=f"parts ({', '.join(PARTS)}) and servers ("
        f"{', '.join(server.key for server in (*_OWN, *COMPETITORS))}) to measure (default: all)",
    )
    add(
        "--fp32",
        type=Path,
        default=FLOAT_MODEL,
        metavar="FILE",
        help="the tutorial app's model (default: written by make build/fp32.onnx)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures")
    add(
        "--table",
        type=Path,
        metavar="FILE",
        help="print the tables of a --json file; measure nothing",
    )
    return parser


def _selected(options: argparse.Namespace) -> tuple[list[str], list[Server]]:
    """The parts and the servers to measure. Raises `UsageError`."""
    servers = [*_OWN, *(COMPETITORS if options.peers else ())]
    keys = [server.key for server in servers]
    names = options.only.split(",") if options.only else []
    for name in names:
        if name in {competitor.key for competitor in COMPETITORS} and not options.peers:
            raise UsageError(f"--only {name} needs --peers.")
        if name not in {*PARTS, *keys}:
            raise UsageError(
                f"--only: {name!r} is unknown. Choose from {', '.join([*PARTS, *keys])}."
            )
    parts = [part for part in PARTS if part in names] or list(PARTS)
    chosen = [server for server in servers if server.key in names] or servers
    if NAIVE in chosen and not options.fp32.is_file():
        if "naive" in names:
            raise UsageError(f"{options.fp32} is missing. Run: make build/fp32.onnx")
        print(
            f"skipping the tutorial app: {options.fp32} is missing (run: make build/fp32.onnx)",
            file=sys.stderr,
        )
        chosen.remove(NAIVE)
    return parts, chosen


def _measure(
    options: argparse.Namespace, parts: list[str], servers: list[Server], folder: Path
) -> dict[str, Any]:
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    pythons = {
        server.key: python_of(server, print_progress) for server in servers if server in COMPETITORS
    }
    print_progress("making the images")
    images, large = _images(options.images, folder)
    model = folder / "naive.onnx" if NAIVE in servers else None
    if model:
        from local.benchmark.apps.naive_model import write_float_input

        write_float_input(options.fp32, model)
    plan = BenchmarkPlan(rounds, seconds, parts, servers, images, large, model, pythons)
    figures = {
        **facts(),
        "client": client_name(),
        "rounds": rounds,
        "seconds": seconds,
        "bursts": BURSTS,
        "images": {
            "made_of_the_sample": options.images is None,
            "count": len(images),
            "mean_bytes": round(sum(path.stat().st_size for path in images) / len(images)),
            "large_bytes": large.stat().st_size,
        },
        **measure(plan, _payload, print_progress),
    }
    for server in servers if "servers" in figures else ():
        if server.key in pythons:
            output = version(server.key, pythons[server.key])
            figures["servers"][server.key]["version"] = output
    return figures


def _images(given: Path | None, folder: Path) -> tuple[list[Path], Path]:
    """The ordinary images and the large one; generated files go to `folder`."""
    large = folder / "large.jpg"
    large.write_bytes(large_jpeg())
    if given:
        found = [path.resolve() for path in find_images(given)]
        return found[:: math.ceil(len(found) / _MAX_IMAGES)], large
    paths = []
    for number, content in enumerate(typical_jpegs()):
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(content)
    return paths, large


def _payload(path: Path) -> Payload:
    return multipart(path.name, path.read_bytes())


def _report_of(path: Path) -> str:
    try:
        return report(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} was not written by --json.") from None
