"""Many requests of every kind, to see what grows: python -m tests.measure.soak --requests 100000

Exit status 0 if nothing does: neither memory nor threads nor descriptors.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil
from PIL import Image
from tqdm import tqdm

from tests.support import raw
from tests.support.pictures import encode
from tests.support.server import Server, serving

CONNECTIONS: Final = 8

GROWTH_BYTES: Final = 16 * 2**20
"""What memory may differ by between two moments of the same state: allocators keep some."""


@dataclass(frozen=True)
class Size:
    """What a process takes, when nothing is asked of it."""

    memory: int
    threads: int
    descriptors: int


def size_of(server: Server) -> Size:
    process = psutil.Process(server.process.pid)
    deadline = time.monotonic() + 15
    while process.net_connections() and time.monotonic() < deadline:
        if all(each.status == psutil.CONN_LISTEN for each in process.net_connections()):
            break
        time.sleep(0.05)
    return Size(process.memory_info().rss, process.num_threads(), process.num_fds())


def kinds() -> list[tuple[dict[str, object], set[int]]]:
    """Requests, as arguments of httpx, and the statuses that are right for each."""
    jpeg = encode(Image.new("RGB", (64, 48), "orange"), "JPEG")
    png = encode(Image.new("RGBA", (32, 32), "blue"), "PNG")
    bomb = encode(Image.new("1", (9000, 9000)), "PNG")
    form = {"content-type": "multipart/form-data; boundary=b"}
    return [
        ({"files": {"file": jpeg}}, {200}),
        ({"files": {"file": png}}, {200}),
        ({"content": jpeg, "headers": {"content-type": "image/jpeg"}}, {200}),
        ({"files": [("file", jpeg)] * 3}, {200}),
        ({"files": {"file": jpeg}, "headers": {"accept": "text/html"}}, {200}),
        ({"files": {"file": jpeg[: len(jpeg) // 2]}}, {422}),
        ({"files": {"file": b"no image"}}, {415}),
        ({"files": {"file": bomb}}, {413}),
        ({"files": {"other": b"x"}}, {422}),
        ({"content": b"--b\r\nbroken", "headers": form}, {400}),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, {415}),
        ({"files": {"file": jpeg}, "params": {"top_k": "0"}}, {422}),
    ]


async def soak(server: Server, requests: int, seed: int) -> Counter[int]:
    """Send `requests` of random kinds. Raises `AssertionError` for an answer that is wrong."""
    choose = random.Random(seed)
    statuses: Counter[int] = Counter()
    left = iter(tqdm(range(requests), unit="request", disable=None))  # seen on a terminal only
    variants = kinds()

    async def send() -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            for number in left:
                arguments, right = choose.choice(variants)
                answer = await client.post(server.url, **arguments)  # type: ignore[arg-type]
                assert answer.status_code in right, (arguments, answer.text)
                statuses[answer.status_code] += 1
                if number % 100 == 0:
                    leave(server)

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return statuses


def leave(server: Server) -> None:
    """Half a request, and gone."""
    with raw.connection(server.url) as leaving:
        leaving.sendall(raw.post("image/png", "Content-Length: 100000") + b"x" * 1000)


def differences(before: Size, after: Size) -> list[str]:
    """What has grown, in words."""
    found = []
    if after.memory > before.memory + GROWTH_BYTES:
        found.append(f"memory from {before.memory / 2**20:.0f} to {after.memory / 2**20:.0f} MB")
    if after.threads > before.threads:
        found.append(f"threads from {before.threads} to {after.threads}")
    if after.descriptors > before.descriptors:
        found.append(f"descriptors from {before.descriptors} to {after.descriptors}")
    return found


def run(server: Server, requests: int, warm_up: int, seed: int) -> list[str]:
    """Soak, and tell what has grown since the warm-up."""
    asyncio.run(soak(server, warm_up, seed))
    before = size_of(server)
    start = time.monotonic()
    statuses = asyncio.run(soak(server, requests, seed + 1))
    seconds = time.monotonic() - start
    after = size_of(server)
    print(f"{statuses.total()} requests in {seconds:.0f} s, by status: {dict(statuses)}")
    print(f"before: {before}\nafter:  {after}")
    return differences(before, after)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--warm-up", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        serving(Path(place) / "log", ACCESS_LOG="0") as server,
    ):
        grown = run(server, arguments.requests, arguments.warm_up, arguments.seed)
    print("\n".join(f"grown: {each}" for each in grown) or "nothing has grown")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
