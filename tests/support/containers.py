"""Options for containers of the function's image."""

from typing import Final

IMAGE: Final = "classifier-under-test"

BASE_IMAGE: Final = "public.ecr.aws/lambda/python:3.13"
"""The Dockerfile's base image"""

STRICT: Final = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "993:990"]
"""Stricter than Lambda itself: no network, nothing writable but /tmp, no user of the image."""
