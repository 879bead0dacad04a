"""Checks on a new machine: .ci/run and the files of .github."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

LOG = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
"""


@pytest.mark.parametrize(("user", "prefix"), [(0, ""), (1001, "sudo ")])
def test_missing_programs_are_installed_as_root(tmp_path: Path, user: int, prefix: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "sudo", "env", "make"):
        (programs / name).write_text(LOG)
    (programs / "id").write_text(f"#!/bin/sh\necho {user}\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    for name in ("dirname", "basename"):
        (programs / name).symlink_to(str(shutil.which(name)))
    log = tmp_path / "log"
    nothing = str(tmp_path / "nothing")
    subprocess.run(
        [str(shutil.which("bash")), str(ROOT / ".ci/run")],
        env={
            "PATH": str(programs),
            "LOG": str(log),
            "LAMBDA_BASE_IMAGE": nothing,
            "LAMBDA_BASE_IMAGE_ARM64": nothing,
            "ARM64_PYTHON": nothing,
        },
        check=True,
    )
    update, install, *checks = log.read_text().splitlines()
    retries = "-o Acquire::Retries=3"
    assert update == f"{prefix}apt-get {retries} update -qq"
    assert install.startswith(
        f"{prefix}env DEBIAN_FRONTEND=noninteractive apt-get {retries} install -y"
    )
    assert " wget2 " in install
    assert "make test-all" in checks


def test_dependabot_knows_every_folder_of_npm() -> None:
    settings = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    updates: list[dict[str, Any]] = settings["updates"]
    (npm,) = [each for each in updates if each["package-ecosystem"] == "npm"]
    files = subprocess.run(
        ["git", "ls-files", "*package-lock.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert npm["directories"] == [f"/{Path(file).parent}" for file in files]
