"""The command line: options, the run, and the verdict."""

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from local.benchmark.photos import kinds, tables
from local.benchmark.photos.cache import PhotoCache
from local.benchmark.photos.kinds import EncoderMissing, Photo
from local.benchmark.photos.sending import Outcome, Sender, worst_health_ms
from local.benchmark.servers.limited import Memory, build_image, limited, memory_size
from local.benchmark.servers.server import MeasurementError
from local.common.cli import OneLineParser, UsageError, check_outputs
from local.common.machine import when_and_where
from local.common.markdown import aligned_table
from local.common.paths import SAMPLE
from local.common.verdict import Threshold, add_gross_option, judge
from local.loadtest.payload import find_images

MEMORY: Final = ("512m", "1g", "2g")
QUICK_MEMORY: Final = ("1g",)

ENOUGH: Final = memory_size("1g")
"""The memory with which every photo has to be accepted."""

REFUSED: Final = f"photos refused with {ENOUGH} or more"
OTHER_CLASS: Final = "photos of another class"
LOST: Final = "photos without a response"
HEALTH: Final = "slowest /healthz"

TARGETS: Final = (
    Threshold(REFUSED, 0),
    Threshold(OTHER_CLASS, 0),
    Threshold(LOST, 0),
    Threshold(HEALTH, 1, "s"),
)

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.photos                       20 minutes; keeps build/photos
  python -m local.benchmark.photos --quick --no-docker   half a minute
  python -m local.benchmark.photos --memory 512m --only HEIC
  python -m local.benchmark.photos --json docs/measured/photos.json
"""

Outcomes = dict[str, dict[str, Outcome]]
"""By the name of the photo and of the memory size"""


def photos(description: str, arguments: Sequence[str] | None = None) -> int:
    """Measure and report. Returns the exit status; raises `UsageError`."""
    options = _parser(description).parse_args(arguments)
    check_outputs(options.json)
    chosen = _chosen(options)
    if not options.no_docker:
        build_image()
    memory = options.memory or [
        memory_size(text) for text in (QUICK_MEMORY if options.quick else MEMORY)
    ]
    caches = [PhotoCache(path.read_bytes()) for path in find_images(options.photo)]
    of_photo = {photo.name: caches[number % len(caches)] for number, photo in enumerate(chosen)}
    rows = _make(chosen, of_photo)
    made = [photo for photo in chosen if "why" not in rows[photo.name]]

    def measure() -> Mapping[str, float]:
        sizes = []
        outcomes: Outcomes = {photo.name: {} for photo in made}
        for size in memory:
            idle = _measure(size, made, of_photo, outcomes, container=not options.no_docker)
            sizes.append({"name": size.text, "title": str(size), "idle_mb": idle})
        for photo in made:
            found = outcomes[photo.name]
            rows[photo.name]["outcomes"] = {name: found[name].to_json() for name in found}
        figures = {
            **when_and_where(),
            "container": not options.no_docker,
            "memory": sizes,
            "photos": list(rows.values()),
        }
        print(aligned_table(tables.header(figures), list(tables.rows(figures))))
        print(f"\n{tables.note(figures)}\n")
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
        for line in complaints(made, outcomes):
            print(line)
        return verdict_figures(outcomes)

    return judge(measure, TARGETS, gross=options.gross)


def complaints(made: Sequence[Photo], outcomes: Outcomes) -> list[str]:
    """A line for each photo and memory size that was not "ok"."""
    return [
        f"{photo.title}, {name}: {outcome}" + (f" ({outcome.problem})" if outcome.problem else "")
        for photo in made
        for name, outcome in outcomes[photo.name].items()
        if str(outcome) != "ok"
    ]


def verdict_figures(outcomes: Outcomes) -> Mapping[str, float]:
    """A value for each of `TARGETS`."""
    every = [pair for found in outcomes.values() for pair in found.items()]
    answered = [outcome for _, outcome in every if outcome.result.isdecimal()]
    return {
        REFUSED: len(
            {
                photo
                for photo, found in outcomes.items()
                for name, outcome in found.items()
                if memory_size(name).mebibytes >= ENOUGH.mebibytes and not outcome.accepted
            }
        ),
        OTHER_CLASS: sum(outcome.accepted and not outcome.same_class for _, outcome in every),
        LOST: len(every) - len(answered),
        HEALTH: worst_health_ms(answered) / 1e3,
    }


def _chosen(options: argparse.Namespace) -> list[Photo]:
    every = kinds.quick_photos() if options.quick else kinds.ordinary_photos()
    words = [word.lower() for word in options.only or ()]
    chosen = [photo for photo in every if all(word in photo.title.lower() for word in words)]
    if not chosen:
        raise UsageError(f"No photo has {' and '.join(options.only)} in its name.")
    return chosen


def _make(chosen: Sequence[Photo], caches: Mapping[str, PhotoCache]) -> dict[str, dict[str, Any]]:
    """The start of each photo's row. Makes the files that are missing."""
    rows: dict[str, dict[str, Any]] = {}
    with tqdm(chosen, desc="making", unit="photo", disable=None, leave=False) as progress:
        for photo in progress:
            progress.set_postfix_str(photo.title)
            row: dict[str, Any] = {"name": photo.name, "title": photo.title}
            try:
                row["bytes"] = len(caches[photo.name].read(photo))
            except EncoderMissing as error:
                row["why"] = f"not made: it needs {error}"
            rows[photo.name] = row
    return rows


def _measure(
    size: Memory,
    made: Sequence[Photo],
    caches: Mapping[str, PhotoCache],
    outcomes: Outcomes,
    *,
    container: bool,
) -> float:
    """Add the outcome of each photo with memory `size`. Returns the memory of the idle service in
    10^6 bytes."""
    idle = 0.0
    left = list(made)
    with tqdm(total=len(made), desc=str(size), unit="photo", disable=None, leave=False) as progress:
        while left:
            with _service(size, container=container) as sender:
                sender.first_class(caches[left[0].name].picture.small((400, 300)))
                idle = idle or sender.idle.bytes / 1e6
                alive = True
                while left and alive:
                    photo = left.pop(0)
                    cache = caches[photo.name]
                    progress.set_postfix_str(photo.title)
                    outcome = sender.send(photo, cache.read(photo), photo.small(cache.picture))
                    outcomes[photo.name][size.text] = outcome
                    alive = outcome.result.isdecimal()
                    progress.update()
    return round(idle, 1)


@contextlib.contextmanager
def _service(size: Memory, *, container: bool) -> Iterator[Sender]:
    try:
        with limited(size, container=container) as service:
            yield Sender(service)
    except MeasurementError as error:
        raise UsageError(f"With {size} {error}.") from None


def _parser(description: str) -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.photos",
        description=description,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--memory",
        action="append",
        type=memory_size,
        metavar="SIZE",
        help=f"memory of the container, repeatable (default: {', '.join(MEMORY)})",
    )
    add(
        "--photo",
        type=Path,
        default=SAMPLE,
        metavar="PATH",
        help="enlarge this photo, or those of this folder in turn (default: local/sample.jpg)",
    )
    add("--only", action="append", metavar="WORD", help="photos with this in their name")
    add("--quick", action="store_true", help="one photo of each format, and 1 GB")
    add(
        "--no-docker",
        action="store_true",
        help="run the service as a process, with the MEMORY_BYTES of such a container (Linux)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser
