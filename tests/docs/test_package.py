"""The package that `pip install .` makes: what is in it, and that it is complete."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from classifier import __version__
from tests.docs.test_requirements import pins
from tests.support.paths import ROOT, SAMPLE, SHIPPED_MODEL

SOURCES = ("LICENSE", "NOTICE", "README.md", "function", "pyproject.toml")
NOT_PACKAGED = ("api", "aws_lambda")
"""Parts of the service that the command does not use"""

MAX_BYTES = 5_000_000
"""Most is the model, of 4.3 MB when it is compressed."""

needs_setuptools = pytest.mark.skipif(
    Version(version("setuptools") if find_spec("setuptools") else "0") < Version("77"),
    reason="setuptools 77 or newer is missing: make setup",
)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, made from a copy of the sources."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                source / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, source)
    program = (
        "from setuptools import build_meta as b; "
        f"b.build_wheel({str(folder)!r}); b.build_sdist({str(folder)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def modules() -> set[str]:
    package = ROOT / "function" / "classifier"
    return {
        str(path.relative_to(package.parent))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in NOT_PACKAGED
    }


@needs_setuptools
def test_the_wheel_has_every_module_of_the_command_and_the_model(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"image_classifier_function-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < MAX_BYTES
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    model = {f"classifier/shipped_model/{path.name}" for path in SHIPPED_MODEL.iterdir()}
    assert names == modules() | model


@needs_setuptools
def test_the_source_distribution_has_the_same(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    assert archive.stat().st_size < MAX_BYTES
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    model = {f"function/model/{path.name}" for path in SHIPPED_MODEL.iterdir()}
    licenses = {"LICENSE", "NOTICE", "README.md", "pyproject.toml"}
    assert {f"function/{name}" for name in modules()} | model | licenses <= names


@needs_setuptools
def test_the_installed_package_classifies_with_its_own_model(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    program = "from classifier.settings import SHIPPED_MODEL; print(SHIPPED_MODEL)"
    for arguments, expected in (
        (["-c", program], re.escape(f"{tmp_path}/classifier/shipped_model\n")),
        (["-m", "classifier", str(SAMPLE)], rf"{re.escape(str(SAMPLE))}: tiger cat \d\d\.\d%\n"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert re.fullmatch(expected, done.stdout)


def test_its_dependencies_are_tested_releases_of_what_the_service_asks_for(
    project: dict[str, Any],
) -> None:
    asked = set((ROOT / "function" / "requirements.in").read_text().split())
    pinned = pins(ROOT / "function" / "requirements.txt")
    extras = project["project"]["optional-dependencies"].values()
    for text in (
        *project["project"]["dependencies"],
        *(each for extra in extras for each in extra),
    ):
        requirement = Requirement(text)
        assert requirement.name in asked
        assert requirement.specifier.contains(pinned[requirement.name])


def test_the_packages_of_pyproject_exist(project: dict[str, Any]) -> None:
    listed = set(project["tool"]["setuptools"]["packages"]) - {"classifier.shipped_model"}
    found = {str(Path(name).parent).replace("/", ".") for name in modules()}
    assert listed == found
