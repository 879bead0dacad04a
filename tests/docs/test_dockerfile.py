"""Checks of the Dockerfile without Docker."""

import re

from tests.support.paths import ROOT

LACKING = ("find", "xargs", "tar", "which", "unzip", "wget", "git", "less", "ps")
"""Commands that Lambda's base images, which are minimal Amazon Linux 2023, do not have."""


def test_dockerfile_uses_only_commands_of_the_base_image() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    runs = [line for line in text.splitlines() if line.startswith("RUN ")]
    commands = [re.split(r"\s+", part.strip())[0] for run in runs for part in run[4:].split("&&")]
    assert {"pip", "python", "rm"} <= set(commands)
    assert not set(LACKING) & set(commands)


def test_only_hashed_packages_are_installed() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("pip install") == text.count("--require-hashes") > 0
