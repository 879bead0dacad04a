"""AWS in moto."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.cloudformation import Cloud, aws_server


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with aws_server() as started:
        yield started


@pytest.fixture
def cloud(address: str) -> Cloud:
    """An empty account."""
    httpx.post(f"{address}/moto-api/reset").raise_for_status()
    return Cloud(address)
