"""The command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from classifier import __version__
from classifier.outcome import DEFAULT_TOP_K, MAX_TOP_K

STANDARD_OUTPUT: Final = Path("-")

_DESCRIPTION: Final = """\
Classify images: each file, and each image in each folder and its subfolders.

Without --csv or --jsonl, a line for each image goes to standard output. In folders, hidden files,
links to folders, and files without the extension of an image are left out.
"""

_EPILOG: Final = """\
examples:
  {program} photo.jpg
  {program} photos/ --csv out.csv
  {program} photos/ more/*.heic --jsonl out.jsonl --top 3

The same command continues a file that it has written before. The limits on images, the threads and
the model are the service's settings: environment variables such as MODEL_DIR and THREADS.

exit status: 0 every image was classified, 1 some have a problem, which their rows name,
  2 invalid command or setting, 130 stopped with Ctrl-C (143 by SIGTERM)
"""


class UsageError(Exception):
    """An invalid command; the message is one line."""


class Options(NamedTuple):
    """`top_k` is None by default."""

    paths: list[str]
    csv: Path | None
    jsonl: Path | None
    top_k: int | None


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see --help)")


def parse(arguments: Sequence[str]) -> Options:
    """Raises `UsageError`, and `SystemExit` after --help and --version."""
    program = _program()
    parser = _OneLineParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_EPILOG.format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write CSV with a header; - for standard output"
    )
    parser.add_argument(
        "--jsonl",
        type=Path,
        metavar="FILE",
        help="write the service's JSON, one line for each image; - for standard output",
    )
    parser.add_argument(
        "--top",
        type=_top_k,
        metavar="N",
        help=f"classes for each image (default: {DEFAULT_TOP_K}, or 1 without --csv and --jsonl)",
    )
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    _check(options)
    return Options(options.paths, options.csv, options.jsonl, options.top)


def _program() -> str:
    name = os.path.basename(sys.argv[0])
    return "python -m classifier" if name == "__main__.py" else name


def _top_k(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MAX_TOP_K:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_TOP_K}")


def _check(options: argparse.Namespace) -> None:
    for path in options.paths:
        try:
            os.stat(path)
        except OSError as error:
            raise UsageError(f"{path!r} cannot be read: {error.strerror}.") from None
    if options.csv and options.csv == options.jsonl:
        raise UsageError(f"--csv and --jsonl both name {str(options.csv)!r}. Name two files.")
