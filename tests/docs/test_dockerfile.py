"""Rules for the Dockerfile that need no Docker."""

import re

from classifier import __version__
from classifier.settings import Settings
from tests.support.containers import DEFAULT_BASE_IMAGE
from tests.support.paths import ROOT

LACKING = ("find", "xargs", "tar", "which", "unzip", "wget", "git", "less", "ps")
"""Commands that are not in Lambda's base images, which are minimal Amazon Linux 2023"""


def test_run_steps_use_commands_of_the_base_image() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    runs = [line for line in text.splitlines() if line.startswith("RUN ")]
    commands = [re.split(r"\s+", part.strip())[0] for run in runs for part in run[4:].split("&&")]
    assert {"pip", "python", "rm"} <= set(commands)
    assert not set(LACKING) & set(commands)


def test_every_stage_starts_from_the_pinned_base_image_or_another_stage() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    assert len(stages) == text.count("\nFROM ")
    names = {name for _, name in stages}
    assert {base for base, _ in stages} - names == {"${BASE_IMAGE}${BASE_DIGEST:+@$BASE_DIGEST}"}
    assert f"\nARG BASE_IMAGE={DEFAULT_BASE_IMAGE}\n" in text


def test_version_of_the_image_is_that_of_the_package() -> None:
    assert f"\nARG VERSION={__version__}\n" in (ROOT / "Dockerfile").read_text()


def test_settings_of_the_web_image_are_settings() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (line,) = re.findall(r"^ENV (HOST=.*)$", text, re.MULTILINE)
    settings = Settings.from_environment(dict(each.split("=") for each in line.split()))
    assert (settings.host, settings.port) == ("0.0.0.0", Settings().port)
    assert f"\nEXPOSE {settings.port}\n" in text


def test_only_hashed_packages_are_installed() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("pip install") == text.count("--require-hashes") > 0
