"""How the function's image is run under test."""

from typing import Final

IMAGE: Final = "classifier-under-test"

STRICT: Final = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "993:990"]
"""Stricter than Lambda itself: no network, nothing writable but /tmp, no user of the image."""
