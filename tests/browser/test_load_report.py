"""The HTML reports of a load test and of a comparison on a phone, a desktop, a projector and
paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from local.loadtest.blocks import blocks_of
from local.loadtest.comparison import compare_blocks
from local.loadtest.environment import environment
from local.loadtest.report import compare_html
from local.loadtest.report.html import write_html
from local.loadtest.requirements import parse
from local.loadtest.run import ClientUse
from local.loadtest.service_metrics import ServiceView
from local.loadtest.stats import summarize
from local.loadtest.verdict import figures_of
from tests.support.browser import HANG_MS
from tests.support.runs import add_stages, make_run, steady, waves

A4_PIXELS = 688
"""210 mm without margins of 14 mm, at 96 pixels per inch."""

CUT_OFF = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  const hidden = !box.width || element.closest("defs");
  return !hidden && (box.right > innerWidth + 1 || box.left < -1);
}).map((element) => element.outerHTML.slice(0, 80))"""

TEXT_HEIGHTS = """() => [...document.querySelectorAll("svg text")]
  .map((text) => text.getBoundingClientRect().height).filter((height) => height > 0)"""


@pytest.fixture(scope="module", params=["run", "comparison"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with wide numbers and long words."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write = {"run": write_run, "comparison": write_comparison}
    write[request.param](path)
    return path


def write_comparison(path: Path) -> None:
    random = np.random.default_rng(1)
    runs = [make_run(steady(10, 30), random.exponential(mean, 300)) for mean in (3, 8)]
    blocks = [blocks_of(run) for run in runs]
    title = f"{'folder/' * 20}a.json: https://{'a-long-name.' * 12}example.com/"
    found = compare_blocks(*blocks)
    compare_html.write_html(found, blocks, [title, title], [f"The plans differ: {title}."], path)


def write_run(path: Path) -> None:
    random = np.random.default_rng(1)
    schedule = waves(1000, 30, 40)
    failure = np.where(random.random(40_000) < 0.1, "closed without a response", "").tolist()
    run = make_run(schedule, random.exponential(20, 40_000), lateness=3.0, failure=failure)
    run.target = f"https://{'a-long-name.' * 12}example.com/"
    run.client = ClientUse(8, 12345.6, 12345)
    add_stages(run, connecting=0.1, sending=12, queue=3, decode=5, infer=6)
    command = ["run_multiple_tests.py", "--url", run.target, "--html", "/".join(["folder"] * 20)]
    view = ServiceView(40_000, 12_345, 40_000, 12345.6, 1234.5, 1234.5, 63.9)
    summary = summarize(run, environment(command), view)
    rules = [parse(rule) for rule in ("lateness_p99.9<123456.789", "failures<99%", "rate>=1e6")]
    write_html(run, summary, path, rules, figures_of(summary))


def opened(browser: Browser, report: Path, width: int, media: Literal["screen", "print"]) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(HANG_MS)
    page.emulate_media(media=media)
    page.goto(report.as_uri())
    return page


@pytest.fixture
def closing(browser: Browser) -> Iterator[None]:
    yield
    for context in browser.contexts:
        context.close()


@pytest.mark.usefixtures("closing")
@pytest.mark.parametrize(
    ("width", "media", "shown"),
    [
        (320, "screen", "narrow"),
        (390, "screen", "narrow"),
        (1280, "screen", "wide"),
        (1920, "screen", "wide"),
        (A4_PIXELS, "print", "wide"),
    ],
)
def test_nothing_is_cut_off(
    browser: Browser, report: Path, width: int, media: Literal["screen", "print"], shown: str
) -> None:
    page = opened(browser, report, width, media)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    # and: each plot is drawn once, for this width, with legible text
    for name in ("wide", "narrow"):
        visible = [figure.is_visible() for figure in page.locator(f"figure .{name}").all()]
        assert visible == [name == shown] * max(3, len(visible))
    assert min(page.evaluate(TEXT_HEIGHTS)) >= 11
