"""The browser, and where its pictures go."""

from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page

from tests.support.paths import ROOT

LAUNCH: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCREENSHOTS: Final = ROOT / "build" / "screenshots"

Open = Callable[..., Page]
"""Opens the page in a context of its own, with Playwright's options for contexts."""
