"""Programs that some tests need, and how to install them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from local.common.emulator import docker_answers
from tests.support.paths import CLIENT_ENVIRONMENTS, FLOAT_MODEL, ROOT

_VENV_SAM: Final = ROOT / ".venv-sam" / "bin"


@dataclass(frozen=True)
class Tool:
    """A program or file; `install` is the command that provides it."""

    name: str
    install: str
    commands: tuple[str, ...] = ()
    file: Path | None = None

    def path(self) -> str | None:
        """Its path; None if it is missing."""
        if self.file:
            return str(self.file) if self.file.exists() else None
        places = f"{_VENV_SAM}{os.pathsep}{os.environ['PATH']}"
        return next(
            filter(None, (shutil.which(command, path=places) for command in self.commands)), None
        )

    def is_missing(self) -> bool:
        return self.path() is None


@dataclass(frozen=True)
class _Module(Tool):
    """A module of a language; the command succeeds if it is there."""

    def is_missing(self) -> bool:
        if not shutil.which(self.commands[0]):
            return True
        return bool(subprocess.run(self.commands, check=False, capture_output=True).returncode)


@dataclass(frozen=True)
class _Variable(Tool):
    """What the environment variable of this name states."""

    def is_missing(self) -> bool:
        return not os.environ.get(self.name)


class _Docker(Tool):
    def is_missing(self) -> bool:
        return not _docker_answers()


@cache
def _docker_answers() -> bool:
    return docker_answers()


DOCKER: Final = _Docker("a running Docker engine", "https://docs.docker.com/engine/install/")
SAM: Final = Tool("the SAM CLI", "make .venv-sam/.made", ("sam",))
CHROMIUM: Final = Tool(
    "Chromium", "apt-get install chromium", ("chromium", "chromium-browser", "google-chrome")
)
QEMU: Final = Tool("qemu-x86_64", "apt-get install qemu-user", ("qemu-x86_64",))
ARM64_PYTHON: Final = _Variable("ARM64_PYTHON", "see CONTRIBUTING.md")
ARM64_ENGINE: Final = _Variable("ARM64_DOCKER_HOST", "see CONTRIBUTING.md")
OPENSSL: Final = Tool("openssl", "apt-get install openssl", ("openssl",))
WRK: Final = Tool("wrk", "apt-get install wrk", ("wrk",))
HEY: Final = Tool("hey", "apt-get install hey", ("hey",))
COMPILER: Final = Tool("a C compiler", "apt-get install gcc", ("cc", "gcc"))
CURL: Final = Tool("curl", "apt-get install curl", ("curl",))
WGET: Final = Tool("wget", "apt-get install wget", ("wget",))
WGET2: Final = Tool("wget2", "apt-get install wget2", ("wget2",))
NGINX: Final = Tool("nginx", "apt-get install nginx-light", ("nginx",))
REGISTRY: Final = Tool(
    "a registry of images", "apt-get install docker-registry", ("docker-registry",)
)
SBOM: Final = Tool(
    "cyclonedx-py", "make .venv-sbom/.made", file=ROOT / ".venv-sbom" / "bin" / "cyclonedx-py"
)
PROMETHEUS: Final = Tool("Prometheus", "apt-get install prometheus", ("prometheus",))
PROMTOOL: Final = Tool("promtool", "apt-get install prometheus", ("promtool",))
JAVA: Final = Tool("a Java compiler", "apt-get install default-jdk-headless", ("javac",))
GO: Final = Tool("a Go compiler", "apt-get install golang-go", ("go",))
RUBY: Final = Tool("Ruby", "apt-get install ruby", ("ruby",))
PHP: Final = _Module(
    "PHP with curl",
    "apt-get install php-cli php-curl",
    ("php", "-r", "exit((int) !extension_loaded('curl'));"),
)
LWP: Final = _Module("LWP", "apt-get install libwww-perl", ("perl", "-MLWP::UserAgent", "-e1"))
PYTHON_CLIENTS: Final = Tool(
    "an environment of Python clients",
    "make build/clients/python/.made",
    file=CLIENT_ENVIRONMENTS / "python" / ".made",
)
NODE_CLIENTS: Final = Tool(
    "Node.js with its clients",
    "make build/clients/node/.made",
    file=CLIENT_ENVIRONMENTS / "node" / ".made",
)
NODE: Final = Tool("Node.js", "apt-get install nodejs npm", ("node",))
TYPESCRIPT: Final = Tool(
    "openapi-typescript",
    "make build/typescript/.made",
    file=ROOT / "build" / "typescript" / ".made",
)
FP32: Final = Tool("the float model", "make build/fp32.onnx", file=FLOAT_MODEL)


def needs(tool: Tool) -> pytest.MarkDecorator:
    """Skip the test if `tool` is missing; the reason names the command that installs it."""
    return pytest.mark.skipif(tool.is_missing(), reason=f"{tool.name} is missing: {tool.install}")
