"""Under which command and versions a run was made."""

import platform
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final

from local.common.paths import FUNCTION

HIDDEN: Final = "..."
_PACKAGES: Final = ("numpy", "httptools", "matplotlib", "boto3")


@dataclass(frozen=True)
class Environment:
    """The command line and versions of a run."""

    command: str = ""
    """As typed, without secrets."""
    versions: dict[str, str] = field(default_factory=dict)


def environment(arguments: Sequence[str] | None = None) -> Environment:
    """arguments: the command line (default: that of this process)."""
    found = {"python": platform.python_version(), "image-classifier-function": _project_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    command = shlex.join(without_secrets(arguments or sys.argv))
    # Names of files need not be UTF-8.
    return Environment(command.encode(errors="replace").decode(), found)


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """The arguments with "..." in place of API keys, values of headers, and passwords in URLs:
    reports are passed around."""
    shown: list[str] = []
    option = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if option in ("--api-key", "--header"):
            shown.append(_hidden(option, argument))
        elif equals and name in ("--api-key", "--header"):
            shown.append(f"{name}={_hidden(name, value)}")
        else:
            shown.append(re.sub(r"(?<=://)[^/?#\s]+(?=@)", HIDDEN, argument))
        option = argument
    return shown


def _hidden(option: str, value: str) -> str:
    return f"{value.partition(':')[0]}: {HIDDEN}" if option == "--header" else HIDDEN


def _project_version() -> str:
    """Read, not imported: the package needs the libraries of the service."""
    text = (FUNCTION / "classifier" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found[1] if found else "unknown"
