"""The image in real containers, as Lambda runs it. Skipped where no Docker answers."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator import Function, docker, docker_answers, running
from tests.conftest import ROOT

IMAGE = "classifier-under-test"
# Stricter than Lambda itself: no network, nothing writable but /tmp, no user of the image.
STRICT = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "993:990"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if not here:
        return
    answers = docker_answers()
    for item in here:
        item.add_marker(pytest.mark.docker)
        if not answers:
            item.add_marker(pytest.mark.skip(reason="no Docker answers on this machine"))


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
    """The SAM command line; it has an environment of its own, since its requirements are others."""
    found = shutil.which(
        "sam", path=f"{ROOT / '.venv-sam' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )
    if not found:
        pytest.skip("no SAM CLI: make test-lambda installs it")
    return found
