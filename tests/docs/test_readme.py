"""The documentation matches the code and the measurements; its links work."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from classifier.settings import Settings
from local.common.paths import ROOT
from local.docs.generate import PARTS, MarkerError, main, pages, render
from tests.support.make import make

LINK = re.compile(r"\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)\b")
PAGES = [*pages(), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def code_of(page: str) -> str:
    """The commands in shell blocks and backticks."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`(make [^`]+)`", page)])


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub generates for its headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_generated_tables_are_up_to_date() -> None:
    """After a change of settings, limits, card or figures: make readme."""
    assert main(["--check"]) == 0


def test_every_generated_part_is_used() -> None:
    text = "".join(path.read_text("utf-8") for path in pages())
    assert {name for name in PARTS if f"<!-- made: {name} -->" in text} == set(PARTS)


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    settings = [
        setting.name.upper() for setting in fields(Settings) if "meaning" in setting.metadata
    ]
    assert len(settings) > 5
    assert [name for name in settings if f"| `{name}` |" not in readme] == []


def test_responses_in_the_readme_are_those_of_the_service(
    client: httpx.Client, sample: bytes
) -> None:
    """The readme shortens lists; probabilities may differ in the last bits of a float."""
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = [
        json.loads(re.sub(r",? ?…", "", block))
        for block in re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    ]
    plain, explained = (
        client.post("/", params=params, files={"file": sample}).json()
        for params in ({}, {"explain": 1, "top_k": 1})
    )
    assert shown[0] == plain | {"predictions": [pytest.approx(plain["predictions"][0], abs=1e-5)]}
    first_cells = [explained["explanation"]["grid"][0][:2]]
    assert shown[1] == explained | {
        "predictions": [],
        "explanation": explained["explanation"] | {"grid": first_cells},
    }


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_relative_links_and_images_exist(page: Path) -> None:
    targets = [a or b for a, b in LINK.findall(page.read_text("utf-8"))]
    missing = []
    for target in targets:
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_documented_make_targets_and_scripts_exist(page: Path) -> None:
    code = code_of(page.read_text("utf-8"))
    targets = set(COMMAND.findall(make("help").stdout))
    assert set(COMMAND.findall(code)) <= targets
    for module in re.findall(r"python -m (local[.\w]+)", code):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for script in re.findall(r"python (?:local/)?(\w+\.py)", code):
        assert (ROOT / "local" / script).exists(), script


def test_render_replaces_only_generated_parts() -> None:
    page = "a\n<!-- made: x -->\nold\n<!-- end -->\nb\n"
    assert render(page, {"x": lambda: "new"}) == ("a\n<!-- made: x -->\n\nnew\n\n<!-- end -->\nb\n")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!-- made: y -->\n<!-- end -->", "there is no part 'y'. Use one of x"),
        ("<!-- made: x -->\nold\n", "needs an `<!-- end -->`"),
        ("old\n<!-- end -->\n", "needs an `<!-- end -->`"),
    ],
)
def test_invalid_markers_raise(page: str, message: str) -> None:
    with pytest.raises(MarkerError, match=re.escape(message)):
        render(page, {"x": lambda: "new"})


def test_tables_do_not_depend_on_the_number_of_cpus() -> None:
    program = (
        "import os; os.sched_getaffinity = lambda _: set(range(7)); "
        "from local.docs.settings import settings_table; print(settings_table())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == PARTS["settings"]()
    assert "| 1 per core |" in done.stdout


def test_every_metric_is_documented() -> None:
    source = (ROOT / "function/classifier/telemetry/emf.py").read_text("utf-8")
    metrics = set(re.findall(r'"([A-Z][A-Za-z]+)": \(_', source))
    assert {"ColdStart", "Errors"} <= metrics
    page = (ROOT / "docs" / "aws.md").read_text("utf-8")
    assert {name for name in metrics if f"`{name}`" not in page} == set()
