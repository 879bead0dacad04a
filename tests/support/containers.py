"""Options for containers of the function's image, and this machine's address for them."""

import os
from typing import Final

from local.common.emulator import docker

IMAGE: Final = "classifier-under-test"

DEFAULT_BASE_IMAGE: Final = "public.ecr.aws/lambda/python:3.13"
"""The Dockerfile's base image"""

BASE_IMAGE: Final = os.environ.get("BASE_IMAGE") or DEFAULT_BASE_IMAGE
"""That of the tested images: `make test-lambda BASE_IMAGE=…`"""

BUILD: Final = (
    ()
    if BASE_IMAGE == DEFAULT_BASE_IMAGE
    else ("--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--build-arg", "BASE_DIGEST=")
)
"""Options of docker build"""

WEB_IMAGE: Final = "classifier-web-under-test"

STRICT: Final = ["--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "993:990"]
"""Stricter than Lambda itself: no network, nothing writable but /tmp, no user of the image."""

RESTRICTED: Final = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    # One core: with many cores, libraries start more threads than the limit allows.
    *("--cpuset-cpus", "0", "--pids-limit", "64", "--memory", "512m", "--health-interval", "1s"),
)
"""The web image needs no more."""


def address_for_containers(image: str) -> str:
    """The IPv4 address at which containers of Docker's default network reach this machine, found by
    a container of an image with Python.

    `docker network inspect` names the gateway only after the engine has started a second time.
    """
    program = "import socket; print(socket.gethostbyname('machine'))"
    options = ["--rm", "--add-host", "machine:host-gateway", "--entrypoint", "python3"]
    return docker("run", *options, image, "-c", program)
