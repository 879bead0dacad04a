"""Options for the target of a load test: where requests go, and how."""

import argparse
import math
import os
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from local.common.cli import UsageError
from local.common.paths import SAMPLE
from local.loadtest.payload import image_path, read_payloads
from local.loadtest.target import HttpOptions, Target, http_target

API_KEY: Final = "API_KEY"
"""The environment variable from which the service, too, takes its key."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, section 5.6.2)."""

_OWN: Final = {
    "connection": "use --keep-alive to keep connections open",
    "content-encoding": "the body is sent as it is",
    "content-length": "it follows from the body",
    "content-type": "it follows from the body",
    "transfer-encoding": "the body has a length",
}
"""Headers that cannot be given, by lower-case name, and why."""


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `create_target` reads."""
    where = parser.add_argument_group("target")
    where.add_argument(
        "--url", default="http://localhost:8000/", help="the service (default: %(default)s)"
    )
    where.add_argument(
        "--lambda",
        dest="function",
        metavar="FUNCTION",
        help="invoke this Lambda function (name or ARN) through boto3 instead of --url",
    )
    where.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="Lambda API endpoint for --lambda, such as http://localhost:9000 for a local emulator",
    )
    where.add_argument(
        "--image",
        type=image_path,
        default=SAMPLE,
        metavar="PATH",
        help="an image, or a folder whose images are sent in turn (default: the sample)",
    )
    where.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="maximum duration of a request (default: %(default)g)",
    )
    where.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header of each request; may be given more than once",
    )
    where.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"send Authorization: Bearer KEY (default: the environment variable {API_KEY})",
    )
    where.add_argument(
        "--keep-alive",
        action="store_true",
        help="keep connections open and use them again (default: a connection per request)",
    )
    where.add_argument(
        "--traceparent",
        action="store_true",
        help="begin a trace with each request (W3C Trace Context); --csv has the ids",
    )
    where.add_argument(
        "--cacert", type=Path, metavar="FILE", help="trust the authorities in this PEM file"
    )
    where.add_argument("--insecure", action="store_true", help="do not verify certificates")


def create_target(options: argparse.Namespace) -> Target:
    """The target that `options` describe. Raises `UsageError`."""
    if not (math.isfinite(options.timeout) and options.timeout > 0):
        raise UsageError(f"--timeout must be more than 0 seconds; it is {options.timeout:g}.")
    http = HttpOptions(
        headers=read_headers(options.header, options.api_key),
        keep_alive=options.keep_alive,
        traced=options.traceparent,
        tls=tls_context(options.cacert, insecure=options.insecure),
    )
    payloads = read_payloads(options.image)
    if options.function is None:
        if options.endpoint_url is not None:
            raise UsageError("--endpoint-url needs --lambda FUNCTION.")
        return http_target(options.url, payloads, http)
    if options.traceparent:
        raise UsageError("--traceparent needs --url: Lambda's Invoke passes no headers on.")
    from local.loadtest.lambda_target import lambda_target

    return lambda_target(options.function, options.endpoint_url, payloads, http)


def read_headers(lines: Iterable[str], api_key: str | None) -> dict[str, str]:
    """The headers in `lines`, each `Name: value`, and Authorization for `api_key`, or for the key
    in the environment. Raises `UsageError`."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not colon or not _NAME.fullmatch(name) or not value.isprintable():
            raise UsageError(f"--header {line!r} is not a header. Use --header 'Name: value'.")
        if name.lower() in _OWN:
            raise UsageError(f"--header cannot set {name}: {_OWN[name.lower()]}.")
        if name.lower() in (given.lower() for given in headers):
            raise UsageError(f"--header sets {name} more than once.")
        headers[name] = value
    has_authorization = any(name.lower() == "authorization" for name in headers)
    if api_key is not None and has_authorization:
        raise UsageError("--api-key sets Authorization; leave out --header 'Authorization: …'.")
    key = os.environ.get(API_KEY, "") if api_key is None else api_key
    if api_key == "" or any(not "!" <= character <= "~" for character in key):
        raise UsageError(
            f"The API key ({'--api-key' if api_key is not None else API_KEY}) must be printable "
            "ASCII without spaces."
        )
    if key and not has_authorization:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def tls_context(cacert: Path | None, *, insecure: bool) -> ssl.SSLContext | None:
    """The context of https connections; None: the default one. Raises `UsageError`."""
    if insecure and cacert is not None:
        raise UsageError("--insecure verifies nothing; leave out --cacert.")
    if insecure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if cacert is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(cacert))
    except (OSError, ssl.SSLError) as error:  # SSLError: the file is not PEM
        reason = (
            "no certificates in PEM format" if isinstance(error, ssl.SSLError) else (error.strerror)
        )
        raise UsageError(f"--cacert {str(cacert)!r} cannot be used: {reason}.") from None
