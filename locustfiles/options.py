"""The options of all scenarios, on the command line and on Locust's page."""

import argparse
import contextlib
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from locust import events
from locust.argument_parser import LocustArgumentParser, get_parser

from local.common.cli import UsageError, check_folder, check_outputs
from local.common.paths import SAMPLE
from local.loadtest.payload import Payload, find_images, image_path, read_payloads
from local.loadtest.requirements import Requirement, parse
from local.loadtest.target import HttpOptions, authorization, parse_url
from local.loadtest.target_options import read_headers, tls_context

Options = argparse.Namespace

HOST = "http://localhost:8000"


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    if "image" in parser.args_included_in_web_ui:
        # With -f FOLDER, Locust loads each file, and the scenarios import this one.
        parser.error("Locust runs one scenario at a time. Name one file with -f, not a folder.")
    add = parser.add_argument
    add(
        "--image",
        type=checked(lambda text: find_images(image_path(text))),
        default=str(SAMPLE),
        help="an image, or a folder whose images are sent in turn",
    )
    add("--request-timeout", type=positive, default=60.0, help="maximum seconds of a request")
    # Not on the page, which others may read.
    add(
        "--header",
        type=checked(lambda line: read_headers([line], None)),
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header of each request; may be given more than once",
        include_in_web_ui=False,
    )
    add(
        "--api-key",
        metavar="KEY",
        help="send Authorization: Bearer KEY (default: the environment variable API_KEY)",
        include_in_web_ui=False,
    )
    add(
        "--traceparent",
        action="store_true",
        help="begin a trace with each request (W3C Trace Context)",
        include_in_web_ui=False,
    )
    add(
        "--cacert",
        metavar="FILE",
        help="trust the authorities in this PEM file",
        include_in_web_ui=False,
    )
    add(
        "--insecure",
        action="store_true",
        help="do not verify certificates",
        include_in_web_ui=False,
    )
    add(
        "--require",
        type=checked(_requirement),
        action="append",
        default=[],
        metavar="RULE",
        help="end with status 3 unless the run meets it: 'p99<250' (ms; min, mean, p50, p90, p95, "
        "p99, p99.9 or max of latency, or of lateness_...), 'failures<0.1%%', 'failures<5', "
        "'rate>=45' (responses/s); may be repeated",
        include_in_web_ui=False,
    )
    add(
        "--junit",
        type=checked(lambda text: check_outputs(Path(text))),
        metavar="FILE",
        help="write the verdict as JUnit XML for a pipeline; of several tests, that of the last",
        include_in_web_ui=False,
    )
    for action in parser._actions:
        if action.dest == "csv_prefix":  # Locust opens the files before it calls a scenario
            action.type = checked(_check_csv)


def http_of(options: Options) -> HttpOptions:
    """How requests are sent. Raises `UsageError`."""
    return HttpOptions(
        headers=read_headers(options.header, options.api_key),
        traced=options.traceparent,
        tls=tls_context(
            Path(options.cacert) if options.cacert else None, insecure=options.insecure
        ),
    )


def url_of(host: str | None) -> str:
    """Where images are posted. Raises `UsageError`."""
    parts = parse_url(host or HOST)
    return parts._replace(path=parts.path.rstrip("/") + "/").geturl()


def move_credentials(options: Options) -> None:
    """Move the API key and the password of the host to the headers: workers get the options of the
    master, but not its environment, and Locust's page and reports show the host."""
    with contextlib.suppress(UsageError):  # of which the check of all options says more
        headers = read_headers(options.header, options.api_key)
        if options.host:
            parts = parse_url(options.host)
            if all(name.lower() != "authorization" for name in headers):
                headers.update(authorization(parts))
            options.host = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        options.header = [f"{name}: {value}" for name, value in headers.items()]
        options.api_key = None


def check_reports(options: Options) -> None:
    """Raises `UsageError` if a report that Locust writes after the run cannot be written."""
    for report in (options.html_file, options.json_file and f"{options.json_file}.json"):
        if report:
            path = Path(report)
            check_folder(path.parent)  # Locust creates it
            if path.is_dir():
                check_outputs(path)


def _check_csv(prefix: str) -> None:
    """Raises `UsageError` if Locust's --csv cannot be written."""
    for part in ("stats", "stats_history", "failures", "exceptions"):
        path = Path(f"{prefix}_{part}.csv")
        check_folder(path.parent)  # Locust creates it
        if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
            raise UsageError(f"{str(path)!r} cannot be written. Choose another prefix.")


def requirements_of(options: Options) -> list[Requirement]:
    """What --require demands."""
    return [parse(text) for text in options.require]


@functools.cache
def payloads_of(image: str) -> Sequence[Payload]:
    """Raises `UsageError`."""
    return read_payloads(Path(image))


def options_of_form(form: Mapping[str, str], options: Options) -> Options:
    """`options` with the values of Locust's page. Raises `UsageError`: Locust would convert them
    without a check."""
    changed = argparse.Namespace(**vars(options))
    ours = get_parser().args_included_in_web_ui
    if hidden := form.keys() & (vars(options).keys() - ours.keys() - LOCUSTS):
        raise UsageError(f"{min(hidden)}: can only be set on the command line.")
    for name in sorted(form.keys() & (vars(options).keys() & ours.keys()) - LOCUSTS):
        action, text = ours[name], form[name].strip()
        try:
            value = action.type(text) if action.type else text
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise UsageError(f"{name}: {error}") from None
        if action.choices and value not in action.choices:
            raise UsageError(f"{name}: must be one of {', '.join(action.choices)}.")
        setattr(changed, name, value)
    return changed


LOCUSTS = frozenset({"host", "run_time", "num_users", "spawn_rate", "profile", "user_classes"})
"""Fields of Locust itself, which checks them."""


# Types of arguments: what they return is sent to workers, so it is text or a number.


def positive(text: str) -> float:
    """More than 0 and finite."""
    return _number(text, lambda number: number > 0, "more than 0")


def zero_or_more(text: str) -> float:
    """0 or more and finite."""
    return _number(text, lambda number: number >= 0, "0 or more")


def _number(text: str, fits: Callable[[float], bool], bounds: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise argparse.ArgumentTypeError(f"must be {bounds}; it is {text!r}")
    return number


def checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """An option type: text for which `check` raises no `UsageError`."""

    def parse_text(text: str) -> str:
        try:
            check(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return parse_text


def _requirement(text: str) -> None:
    if parse(text).name.startswith("service_"):
        raise UsageError(f"{text!r}: Locust has no service times. Use latency or lateness_.")
