"""Takes docs/images/prometheus.png: Prometheus's own page, while the service is under load.

    .venv/bin/python -m tests.deploy.picture

The load grows for a minute until it is more than the service sustains. Needs Prometheus and
Chromium.
"""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.deploy.prometheus import watching
from tests.support.browser import LAUNCH
from tests.support.paths import ROOT
from tests.support.server import serving
from tests.support.tools import CHROMIUM

PICTURE: Final = ROOT / "docs" / "images" / "prometheus.png"
SECONDS: Final = 60
RAMP: Final = "5:100"
"""Requests per second; one thread sustains about 70"""

GRAPHS: Final = (
    'sum by (status) (rate(classifier_request_duration_seconds_count{method="POST"}[5s]))',
    "classifier_queue_length + classifier_requests_waiting",
)


def main() -> None:
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        with (
            serving(folder / "log", THREADS="1", QUEUE="64") as server,
            watching(folder, server) as prometheus,
        ):
            command = ["local/run_rate_test.py", "--url", f"{server.url}/", "--ramp", RAMP]
            subprocess.run(
                [sys.executable, *command, "--for", str(SECONDS), "--late-ok"],
                cwd=ROOT,
                check=False,
            )
            browser = playwright.chromium.launch(executable_path=CHROMIUM.path(), args=LAUNCH)
            page = browser.new_page(viewport={"width": 1000, "height": 1000})
            page.goto(f"{prometheus.url}/classic/graph?{_graphs()}", wait_until="networkidle")
            page.wait_for_timeout(2000)  # the graphs are drawn one after another
            page.add_style_tag(content=".fixed-top { position: static } body { padding: 0 }")
            picture = page.screenshot(full_page=True)
            browser.close()
    with Image.open(BytesIO(picture)) as image:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(PICTURE, optimize=True)
    print(f"wrote {PICTURE.relative_to(ROOT)}, {PICTURE.stat().st_size} bytes")


def _graphs() -> str:
    """The query string of a page with a graph for each expression."""
    return urlencode(
        {
            f"g{number}.{name}": value
            for number, expression in enumerate(GRAPHS)
            for name, value in (("expr", expression), ("tab", "0"), ("range_input", "75s"))
        }
    )


if __name__ == "__main__":
    main()
