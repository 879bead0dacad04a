"""How often clients see the 413 for an upload that is too large: python -m tests.measure.refusals

Many clients read the response only after they have sent everything. Clients that are not installed
are left out. Exit status 0 if each try has seen the response.
"""

import argparse
import collections
import http.client
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import httpx

from local.common.cli import whole_number
from tests.clients.nginx import in_front
from tests.measure.command import run_command
from tests.support.server import serving
from tests.support.tls import self_signed
from tests.support.tools import CURL, JAVA, NGINX, OPENSSL
from tests.support.wait import HANG_SECONDS

MEBIBYTE: Final = 2**20
LIMIT: Final = 20 * MEBIBYTE
SIZES: Final = (21, 30, 100, 300)
"""MiB"""

Client = Callable[[str, int, int], list[str]]
"""URL, bytes and tries -> the status of each try, or its error"""

_JAVA: Final = Path(__file__).with_name("RefusedUploads.java")


def standard_library(url: str, size: int, tries: int) -> list[str]:
    """http.client, with TLS if the URL has https."""
    address = httpx.URL(url)
    body = bytes(size)

    def connection() -> http.client.HTTPConnection:
        if address.scheme == "http":
            return http.client.HTTPConnection(address.host, address.port, timeout=HANG_SECONDS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=HANG_SECONDS, context=context
        )

    def send() -> str:
        with closing(connection()) as client:
            try:
                client.request("POST", "/", body, {"Content-Type": "image/tiff"})
                return str(client.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                return repr(error)

    return [send() for _ in range(tries)]


def curl(url: str, size: int, tries: int) -> list[str]:
    """curl with an upload from a pipe, so that it sends without `Expect`."""
    command = ["curl", "--silent", "--output", os.devnull, "--write-out", "%{http_code}"]
    command += ["--request", "POST", "--header", "Content-Type: image/tiff", "--upload-file", "-"]
    body = bytes(size)
    return [
        subprocess.run([*command, url], input=body, stdout=subprocess.PIPE, check=False)
        .stdout.decode()
        .strip()
        for _ in range(tries)
    ]


def java(client: str) -> Client:
    """`client` of the JDK: HttpURLConnection or HttpClient."""

    def send(url: str, size: int, tries: int) -> list[str]:
        command = ["java", str(_JAVA), client, f"{url}/", str(size), str(tries)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.splitlines()

    return send


@contextmanager
def cases() -> Iterator[dict[str, tuple[Client, str]]]:
    """The clients that are installed, each with the URL that it sends to."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        limits = {"MAX_BYTES": str(LIMIT), "ACCESS_LOG": "0"}
        server = stack.enter_context(serving(folder / "log", **limits))
        found: dict[str, tuple[Client, str]] = {"http.client": (standard_library, server.url)}
        if not OPENSSL.is_missing():
            pem = str(self_signed(folder))
            options = ("--ssl-keyfile", pem, "--ssl-certfile", pem)
            secure = stack.enter_context(serving(folder / "tls.log", *options, **limits))
            found["http.client with TLS"] = (standard_library, secure.url)
        if not CURL.is_missing():
            found["curl"] = (curl, server.url)
        if not JAVA.is_missing():
            for client in ("HttpURLConnection", "HttpClient"):
                found[f"Java's {client}"] = (java(client), server.url)
        if not NGINX.is_missing():
            unbuffered = "proxy_request_buffering off;"
            front = stack.enter_context(in_front(server.url, unbuffered, folder / "nginx"))
            found["http.client through nginx"] = (standard_library, front)
        yield found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=whole_number(), default=200, metavar="N")
    parser.add_argument(
        "--sizes",
        type=whole_number(),
        nargs="+",
        default=SIZES,
        metavar="MIB",
        help=f"of the uploads; the limit is {LIMIT // MEBIBYTE} MiB",
    )
    options = parser.parse_args()
    all_seen = True
    with cases() as clients:
        for name, (send, url) in clients.items():
            for size in options.sizes:
                seen = collections.Counter(send(url, size * MEBIBYTE, options.tries))
                others = {status: count for status, count in seen.items() if status != "413"}
                print(f"{name}, {size} MiB: 413 in {seen['413']} of {options.tries} tries", end="")
                print(f"; {others}" if others else "", flush=True)
                all_seen &= seen["413"] == options.tries
    return 0 if all_seen else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
