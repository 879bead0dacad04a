"""The time that a connection may be idle between two requests."""

from typing import Final

from classifier.settings import Settings

UVICORN_DEFAULT: Final = 5
"""Seconds; the default of uvicorn's option --timeout-keep-alive"""


def keep_alive_seconds(option: int, settings: Settings) -> int:
    """The setting, unless uvicorn's `option` has another value than its default."""
    return settings.keep_alive_seconds if option == UVICORN_DEFAULT else option
