"""Pinned requirements: one version everywhere, with hashes."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9, -]+\])?==([^ ;\\]+)", re.MULTILINE | re.IGNORECASE
)
LOCKED = sorted(
    path.with_suffix(".txt")
    for folder in ("", "function", "local", "tests")
    for path in (ROOT / folder).glob("**/*.in" if folder else "*.in")
)


def pins(path: Path) -> dict[str, str]:
    return dict(PIN.findall(path.read_text()))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", LOCKED, ids=names(LOCKED))
def test_every_pin_has_hashes_and_no_file_names_a_registry(path: Path) -> None:
    text = path.read_text()
    requirements = text.replace("\\\n", " ").splitlines()
    assert requirements
    for line in requirements:
        assert PIN.match(line), line
        assert "--hash=sha256:" in line, line
    assert "://" not in text


def test_shipped_versions_are_the_development_versions() -> None:
    development = pins(ROOT / "requirements.txt")
    assert pins(ROOT / "function" / "requirements.txt").items() <= development.items()


@pytest.mark.parametrize("name", ["tests/requirements.txt", "local/models/requirements.txt"])
def test_tools_pin_the_same_versions(name: str) -> None:
    development, tools = pins(ROOT / "requirements.txt"), pins(ROOT / name)
    assert {
        package: tools[package] for package in tools.keys() & development.keys()
    }.items() <= development.items()


def test_make_lock_covers_every_requirements_file() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^REQUIREMENTS := (.*)$", makefile, re.MULTILINE)
    assert listed
    assert sorted(f"{name}.txt" for name in listed[1].split()) == names(LOCKED)
