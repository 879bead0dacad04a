"""Timeout, options and screenshots of the browser."""

from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page

from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS

HANG_MS: Final = 1000 * HANG_SECONDS
"""HANG_SECONDS in Playwright's unit. Its own defaults are 5 and 30 s."""

LAUNCH: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCREENSHOTS: Final = ROOT / "build" / "screenshots"

Open = Callable[..., Page]
"""Opens the page in a new context, with Playwright's options for contexts."""
