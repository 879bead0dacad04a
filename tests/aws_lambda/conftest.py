"""The image in real containers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.common.emulator import Function, docker, running
from tests.support.containers import IMAGE, STRICT
from tests.support.tools import DOCKER, SAM, needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.docker)
        item.add_marker(needs(DOCKER))
        if item.path.name == "test_sam.py":
            item.add_marker(needs(SAM))


@pytest.fixture(scope="session")
def image() -> str:
    docker("build", "--quiet", "--tag", IMAGE, ".", timeout=600)
    return IMAGE


@pytest.fixture(scope="session")
def function(image: str) -> Iterator[Function]:
    options = [part for part in STRICT if part not in ("--network", "none")]
    with running(image, *options, "--memory", "1769m") as started:
        yield started


@pytest.fixture(scope="session")
def sam() -> str:
    """The SAM CLI, from a separate environment: its requirements conflict with the project's."""
    path = SAM.path()
    assert path
    return path
