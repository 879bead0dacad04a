"""The image in real containers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.common.emulator import Function, docker, running
from tests.support.containers import BASE_IMAGE, BUILD, IMAGE, STRICT, WEB_IMAGE
from tests.support.tools import DOCKER, SAM, needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.docker)
        item.add_marker(needs(DOCKER))
        if item.path.name == "test_sam.py":
            item.add_marker(needs(SAM))


@pytest.fixture(scope="session")
def base_image() -> None:
    """Skip where the base image is neither present nor within reach."""
    try:
        docker("image", "inspect", BASE_IMAGE)
    except subprocess.CalledProcessError:
        try:
            docker("pull", "--quiet", BASE_IMAGE, timeout=600)
        except subprocess.CalledProcessError:
            pytest.skip(f"Lambda's base image is missing: docker pull {BASE_IMAGE}")


@pytest.fixture(scope="session")
def image(base_image: None) -> str:
    docker("build", "--quiet", "--tag", IMAGE, *BUILD, ".", timeout=600)
    return IMAGE


@pytest.fixture(scope="session")
def web_image(base_image: None) -> str:
    docker("build", "--quiet", "--tag", WEB_IMAGE, *BUILD, "--target", "web", ".", timeout=600)
    return WEB_IMAGE


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
