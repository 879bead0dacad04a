"""An event loop for code that takes the current one, or makes one and never closes it: Mangum."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def current_event_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
