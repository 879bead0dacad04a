"""Takes the screenshots of the README and writes them to docs/images/:

    .venv/bin/python -m tests.browser.screenshots

They show the page of this checkout, and the report of a load test.
"""

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import (
    Browser,
    FilePayload,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support.browser import LAUNCH
from tests.support.explaining import explaining_model
from tests.support.paths import ROOT, SAMPLE
from tests.support.pictures import encode, photo
from tests.support.server import serving
from tests.support.tools import CHROMIUM

IMAGES = ROOT / "docs" / "images"
JPEG = {"content-type": "image/jpeg"}
MAX_BYTES = 150_000

PHOTOS = [("rocket", "rocket.jpg"), ("coffee", "coffee.png"), ("cat", "chelsea.png")]
"""All are CC0 or in the public domain; the page shows the last one first."""

SETTLE_MS = 300
"""The browser finishes drawing; it shares the cores with the service, whose times are shown."""


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        report = Path(scratch) / "report.html"
        model = explaining_model(Path(scratch))
        with serving(Path(scratch) / "log", MODEL_DIR=str(model)) as server:
            for _ in range(20):  # the first responses of a process are slower
                httpx.post(server.url, content=SAMPLE.read_bytes(), headers=JPEG)
            browser = playwright.chromium.launch(executable_path=CHROMIUM.path(), args=LAUNCH)
            draw(browser, server.url, "page", one, {"width": 1000, "height": 875})
            draw(browser, server.url, "page-grid", several, {"width": 1000, "height": 1230})
            draw(
                browser,
                server.url,
                "page-look",
                looked,
                {"width": 800, "height": 900},
                part="article",
            )
            phone: dict[str, Any] = {"color_scheme": "dark", "has_touch": True}
            draw(browser, server.url, "page-phone", one, {"width": 360, "height": 1180}, **phone)
            load(server.url, report)
        draw(browser, report.as_uri(), "load-report", None, {"width": 1000, "height": 1340})
        browser.close()


def draw(
    browser: Browser,
    url: str,
    name: str,
    act: Callable[[Page], None] | None,
    viewport: ViewportSize,
    *,
    part: str = "",
    **options: Any,
) -> None:
    context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(SETTLE_MS)
    if act:
        act(page)
    page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)
    picture = page.locator(part).screenshot() if part else page.screenshot()
    with Image.open(BytesIO(picture)) as shot:
        small = shot.convert("RGB").quantize(256, kmeans=4)
    path = IMAGES / f"{name}.png"
    small.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}  {size:,} bytes")
    if size > MAX_BYTES:
        raise SystemExit(
            f"{path.name} has more than {MAX_BYTES:,} bytes: make its viewport smaller"
        )
    context.close()


def one(page: Page) -> None:
    page.get_by_role("button", name="the cat").click()
    expect(page.locator(".timing")).to_have_count(1)


def looked(page: Page) -> None:
    one(page)
    page.get_by_label("Show where the model looked").check()
    expect(page.locator("canvas")).to_be_visible()


def several(page: Page) -> None:
    for number, (name, file) in enumerate(PHOTOS, start=1):
        content = encode(photo(file), "JPEG")
        chosen = FilePayload(name=f"{name}.jpg", mimeType="image/jpeg", buffer=content)
        page.get_by_label("Choose photos").set_input_files(chosen)
        expect(page.locator(".timing")).to_have_count(number)
        page.wait_for_timeout(SETTLE_MS)


def load(url: str, report: Path) -> None:
    script = ROOT / "local" / "run_multiple_tests.py"
    waves = ["-N", "20", "-T", "0.5", "-R", "20"]
    command = [sys.executable, script, "--url", f"{url}/", *waves, "--html", report, "--late-ok"]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
