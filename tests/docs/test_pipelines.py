"""The commands of docs/pipelines.md have the options that the scripts know."""

import re

from local.common.paths import ROOT
from tests.support.scripts import script

COMMAND = re.compile(r"python (local/\w+\.py) ((?:[^\n]|\n +--|\\\n)*)")
"""With continuation lines, which start with an option."""


def test_scripts_know_the_documented_options() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text("utf-8")
    options: dict[str, set[str]] = {}
    for name, arguments in COMMAND.findall(page):
        found = re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", arguments)
        options.setdefault(name, set()).update(found)
    assert len(options["local/run_rate_test.py"]) >= 7
    assert len(options["local/compare.py"]) >= 3
    for name, used in options.items():
        known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", script(name, "--help").stdout))
        assert used - known == set(), name


def test_status_numbers_are_those_of_the_help() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text("utf-8")
    described = set(re.findall(r"^\| (\d) \|", page, re.MULTILINE))
    shown = script("local/run_rate_test.py", "--help").stdout
    epilog = shown[shown.index("exit status:") :]
    assert described == {"0", "1", "2", "3", "4"}
    assert all(re.search(rf"(?<!\d){status} ", epilog) for status in described)
