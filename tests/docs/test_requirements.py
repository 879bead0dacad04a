"""Installed packages are pinned: one version everywhere, each file with its hash."""

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


def test_laptop_and_image_install_the_same_versions() -> None:
    laptop = pins(ROOT / "requirements.txt")
    assert pins(ROOT / "function" / "requirements.txt").items() <= laptop.items()


@pytest.mark.parametrize("name", ["tests/requirements.txt", "local/models/requirements.txt"])
def test_tools_share_the_versions_of_what_they_test(name: str) -> None:
    laptop, tools = pins(ROOT / "requirements.txt"), pins(ROOT / name)
    assert {name: tools[name] for name in tools.keys() & laptop.keys()}.items() <= laptop.items()


def test_the_lock_covers_every_file() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^REQUIREMENTS := (.*)$", makefile, re.MULTILINE)
    assert listed
    assert sorted(f"{name}.txt" for name in listed[1].split()) == names(LOCKED)
