"""Options for containers of the function's image."""

from typing import Final

IMAGE: Final = "classifier-under-test"

BASE_IMAGE: Final = "public.ecr.aws/lambda/python:3.13"
"""The Dockerfile's base image"""

WEB_IMAGE: Final = "classifier-web-under-test"

STRICT: Final = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "993:990"]
"""Stricter than Lambda itself: no network, nothing writable but /tmp, no user of the image."""

RESTRICTED: Final = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    # One core: with many cores, libraries start more threads than the limit allows.
    *("--cpuset-cpus", "0", "--pids-limit", "64", "--memory", "512m", "--health-interval", "1s"),
)
"""The web image needs no more."""
