"""Clients that send one request after another, and what they get."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import httpx

from tests.support.wait import HANG_SECONDS, wait_until

CLIENTS: Final = 4
"""Half of them keep their connections."""

_PAUSE_SECONDS: Final = 0.1
"""After each response: other programs of the machine get their turn."""


class Load:
    """The results of a load that goes on: statuses, and the names of errors."""

    def __init__(self) -> None:
        self.results: Counter[int | str] = Counter()
        self.ends = threading.Event()

    def wait_for_more(self) -> None:
        """Wait for some more results, in whatever time."""
        enough = self.results.total() + 5 * CLIENTS
        wait_until(lambda: self.results.total() >= enough, "results of the load")


@contextmanager
def steady_load(url: str, image: bytes) -> Iterator[Load]:
    """POST `image` to `url` again and again until the end of the context."""
    load = Load()
    lock = threading.Lock()

    def send(headers: dict[str, str]) -> None:
        with httpx.Client(timeout=HANG_SECONDS) as client:
            while not load.ends.is_set():
                result: int | str
                try:
                    files = {"file": image}
                    result = client.post(url, files=files, headers=headers).status_code
                except httpx.TransportError as error:
                    result = type(error).__name__
                with lock:
                    load.results[result] += 1
                time.sleep(_PAUSE_SECONDS)

    with ThreadPoolExecutor(CLIENTS) as clients:
        sending = [
            clients.submit(send, {"connection": "close"} if number % 2 else {})
            for number in range(CLIENTS)
        ]
        try:
            yield load
        finally:
            load.ends.set()
    for each in sending:
        each.result()
