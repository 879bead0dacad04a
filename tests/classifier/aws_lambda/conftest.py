"""Fixtures of the Lambda handler's tests."""

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def event_loop_for_mangum() -> Iterator[None]:
    """Mangum takes the current loop, or makes one and never closes it. So make handlers in tests,
    or in fixtures for one test each."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
