"""Checks on a new machine: .ci/run and the files of .github."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.git import tracked_files
from tests.support.paths import ROOT

LOG = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
"""


def run_checks(folder: Path, programs: Mapping[str, str], *, user: int = 0) -> list[str]:
    """Run .ci/run on a machine without the programs that it installs. Returns the commands that it
    starts. Scripts in `programs` replace those that log them."""
    place = folder / "bin"
    place.mkdir()
    logged = dict.fromkeys(("apt-get", "sudo", "env", "make", "sleep"), LOG)
    for name, text in {**logged, "id": f"#!/bin/sh\necho {user}\n", **programs}.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    for name in ("dirname", "basename"):
        (place / name).symlink_to(str(shutil.which(name)))
    log = folder / "log"
    nothing = str(folder / "nothing")
    subprocess.run(
        [str(shutil.which("bash")), str(ROOT / ".ci/run")],
        env={
            "PATH": str(place),
            "LOG": str(log),
            "LAMBDA_BASE_IMAGE": nothing,
            "LAMBDA_BASE_IMAGE_ARM64": nothing,
            "ARM64_PYTHON": nothing,
        },
        check=True,
    )
    return log.read_text().splitlines()


@pytest.mark.parametrize(("user", "prefix"), [(0, ""), (1001, "sudo ")])
def test_missing_programs_are_installed_as_root(tmp_path: Path, user: int, prefix: str) -> None:
    update, install, *checks = run_checks(tmp_path, {}, user=user)
    retries = "-o Acquire::Retries=3"
    assert update == f"{prefix}apt-get {retries} update -qq"
    assert install.startswith(
        f"{prefix}env DEBIAN_FRONTEND=noninteractive apt-get {retries} "
        "-o DPkg::Lock::Timeout=600 install -y"
    )
    assert " wget2 " in install
    assert "make test-all" in checks


def test_update_of_a_machine_that_is_updating_itself_is_tried_again(tmp_path: Path) -> None:
    """Given a lock that another process holds at first."""
    locked = f'{LOG}[ -e "$LOG.tried" ] || {{ : > "$LOG.tried"; exit 100; }}\n'
    first, pause, second, install, *_ = run_checks(tmp_path, {"apt-get": locked})
    update = "apt-get -o Acquire::Retries=3 update -qq"
    assert (first, pause, second) == (update, "sleep 120", update)
    assert "install -y" in install


def test_dependabot_knows_every_folder_of_npm() -> None:
    settings = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    updates: list[dict[str, Any]] = settings["updates"]
    (npm,) = [each for each in updates if each["package-ecosystem"] == "npm"]
    files = tracked_files("*package-lock.json")
    assert npm["directories"] == [f"/{Path(file).parent}" for file in files]
