"""make base-digest: the base image is pinned to its digest in the registry."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.base_digest import base_digest
from local.common.cli import main
from local.common.emulator import docker
from tests.support.paths import ROOT
from tests.support.registry import registry
from tests.support.tools import REGISTRY, needs
from tests.support.wait import HANG_SECONDS

pytestmark = needs(REGISTRY)

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Base:
    """An image in a registry, and a Dockerfile that begins like the project's."""

    def __init__(self, address: str, folder: Path) -> None:
        self.image = f"{address}/base:1"
        self.folder = folder
        self.dockerfile = folder / "Dockerfile"
        lines = (ROOT / "Dockerfile").read_text().splitlines()
        (base,) = {re.sub(" AS .*", "", line) for line in lines if "BASE_DIGEST:+" in line}
        self.dockerfile.write_text(f"ARG BASE_IMAGE={self.image}\nARG BASE_DIGEST=\n{base}\n")
        self._address = address

    def push(self, content: str) -> str:
        """Push an image that differs by `content`. Returns its digest, as the registry says."""
        (self.folder / "file").write_text(content)
        (self.folder / "base").write_text("FROM scratch\nCOPY file /\n")
        docker("build", "-q", "-t", self.image, "-f", str(self.folder / "base"), str(self.folder))
        docker("push", "--quiet", self.image)
        docker("rmi", self.image)
        url = f"http://{self._address}/v2/base/manifests/1"
        response = httpx.head(url, headers={"accept": MANIFEST}, timeout=HANG_SECONDS)
        digest: str = response.headers["docker-content-digest"]
        return digest

    def build(self) -> str:
        """Build the Dockerfile. Returns the image's id."""
        return docker("build", "--quiet", "--file", str(self.dockerfile), str(self.folder))

    def run(self, *options: str) -> object:
        """The exit status of the command."""
        arguments = [*options, "--dockerfile", str(self.dockerfile)]
        with pytest.raises(SystemExit) as ended:
            main(lambda: base_digest(arguments))
        return ended.value.code


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    with registry(tmp_path) as address:
        yield Base(address, tmp_path)


def test_digest_is_written_and_builds_use_it(base: Base) -> None:
    first = base.push("first")
    assert base.run() == 0
    assert f"\nARG BASE_DIGEST={first}\n" in base.dockerfile.read_text()
    assert base.run("--check") == 0
    pinned = base.build()

    second = base.push("second")
    assert second != first
    assert base.build() == pinned
    assert base.run("--check") == 1
    assert base.run() == 0
    assert f"\nARG BASE_DIGEST={second}\n" in base.dockerfile.read_text()
    renewed = base.build()
    assert renewed != pinned

    assert base.run("--none") == 0
    assert "\nARG BASE_DIGEST=\n" in base.dockerfile.read_text()
    docker("rmi", "--force", pinned, renewed)


def test_image_that_is_not_in_the_registry_is_one_line_and_status_2(
    base: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    before = base.dockerfile.read_text()
    assert base.run() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: The digest of {base.image} cannot be read: ")
    assert base.dockerfile.read_text() == before
