"""Send many requests of every kind to the service, and measure the growth of its process."""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import psutil
from PIL import Image
from tqdm import tqdm

from local.common.cli import whole_number
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from tests.measure.command import run_command
from tests.support import raw
from tests.support.pictures import encode
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

CONNECTIONS: Final = 8

OPTIONS: Final = ("--timeout-keep-alive", str(HANG_SECONDS))
"""Options of the server. It closes no connection while a client sends its next request."""

MEMORY: Final = "memory growth"
THREADS: Final = "threads growth"
DESCRIPTORS: Final = "descriptors growth"
WRONG: Final = "wrong responses"

TARGETS: Final = (
    # Memory of the same state differs: allocators keep some.
    Threshold(MEMORY, 16, "MiB"),
    Threshold(THREADS, 0),
    Threshold(DESCRIPTORS, 0),
    Threshold(WRONG, 0, every=True),
)

EXAMPLES: Final = """\
examples:
  python -m tests.measure.soak
  python -m tests.measure.soak --requests 5000 --repeat 3 --gross
"""


@dataclass(frozen=True)
class Size:
    """Resources of an idle process; memory in bytes."""

    memory: int
    threads: int
    descriptors: int


@dataclass
class Responses:
    """Counts by status, and a line for each wrong status."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def size_of(server: Server) -> Size:
    """The size of the server's process when all connections are closed."""
    process = psutil.Process(server.process.pid)

    def is_idle() -> bool:
        return all(
            connection.status == psutil.CONN_LISTEN for connection in process.net_connections()
        )

    wait_until(is_idle, "the end of all connections")
    return Size(process.memory_info().rss, process.num_threads(), process.num_fds())


def kinds() -> list[tuple[dict[str, object], int]]:
    """Requests, as arguments of httpx, and the expected status of each."""
    jpeg = encode(Image.new("RGB", (64, 48), "orange"), "JPEG")
    png = encode(Image.new("RGBA", (32, 32), "blue"), "PNG")
    bomb = encode(Image.new("1", (16000, 16000)), "PNG")
    form = {"content-type": "multipart/form-data; boundary=b"}
    return [
        ({"files": {"file": jpeg}}, 200),
        ({"files": {"file": png}}, 200),
        ({"content": jpeg, "headers": {"content-type": "image/jpeg"}}, 200),
        ({"files": [("file", jpeg)] * 3}, 200),
        ({"files": {"file": jpeg}, "headers": {"accept": "text/html"}}, 200),
        ({"files": {"file": jpeg[: len(jpeg) // 2]}}, 422),
        ({"files": {"file": b"no image"}}, 415),
        ({"files": {"file": bomb}}, 413),
        ({"files": {"one": b"x", "other": b"x"}}, 422),
        ({"content": b"--b\r\nbroken", "headers": form}, 400),
        ({"content": b"{}", "headers": {"content-type": "text/html"}}, 415),
        ({"files": {"file": jpeg}, "params": {"top_k": "0"}}, 422),
    ]


async def soak(server: Server, requests: int, seed: int) -> Responses:
    """Send every kind once, then random kinds, `requests` in total."""
    choose = random.Random(seed)
    responses = Responses()
    variants = kinds()
    order = [*variants, *(choose.choice(variants) for _ in range(requests - len(variants)))]
    left = iter(enumerate(tqdm(order[:requests], unit="request", disable=None, leave=False)))

    async def send() -> None:
        async with httpx.AsyncClient(timeout=HANG_SECONDS, verify=False) as client:
            for number, (arguments, expected) in left:
                response = await client.post(server.url, **arguments)  # type: ignore[arg-type]
                responses.statuses[response.status_code] += 1
                if response.status_code != expected:
                    responses.wrong.append(
                        f"{response.status_code} instead of {expected}: {response.text}"
                    )
                if number % 100 == 0:
                    disconnect(server)

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return responses


def disconnect(server: Server) -> None:
    """Send half a request and disconnect."""
    with raw.connection(server.url) as client:
        client.sendall(raw.post("image/png", "Content-Length: 100000") + b"x" * 1000)


def warm_up(server: Server, requests: int, seed: int) -> Responses:
    """Start all threads and fill caches and allocators."""
    images = [("file", b"no image")] * 32  # more than threads, so that all of them start
    server.client.post("/", files=images)
    return asyncio.run(soak(server, requests, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.soak",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--requests",
        type=whole_number(),
        default=100_000,
        metavar="N",
        help="requests per repetition (default: %(default)s)",
    )
    parser.add_argument(
        "--warm-up",
        type=whole_number(),
        default=2_000,
        metavar="N",
        help="requests before the measurement (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the order of requests (default: %(default)s)"
    )
    add_verdict_options(parser, repetitions=1)
    options = parser.parse_args(arguments)
    wrong: list[str] = []

    def measure() -> Figures:
        with (
            tempfile.TemporaryDirectory() as folder,
            serving(Path(folder) / "log", *OPTIONS, ACCESS_LOG="0") as server,
        ):
            warm = warm_up(server, options.warm_up, options.seed)
            before = size_of(server)
            soaked = asyncio.run(soak(server, options.requests, options.seed + 1))
            after = size_of(server)
        found = [*warm.wrong, *soaked.wrong]
        wrong.extend(found)
        return {
            MEMORY: (after.memory - before.memory) / 2**20,
            THREADS: after.threads - before.threads,
            DESCRIPTORS: after.descriptors - before.descriptors,
            WRONG: len(found),
        }

    status = judge(measure, TARGETS, repeat=options.repeat, gross=options.gross)
    for line in wrong[:10]:
        print(f"wrong response: {line}", file=sys.stderr)
    return 1 if wrong else status


if __name__ == "__main__":
    sys.exit(run_command(main))
