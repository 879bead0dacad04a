"""AWS in moto."""

from collections.abc import Iterator

import pytest

from tests.support.cloudformation import Cloud, aws_server


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with aws_server() as started:
        yield started


@pytest.fixture
def cloud(address: str) -> Cloud:
    """An empty account."""
    cloud = Cloud(address)
    cloud.reset()
    return cloud
