"""A client: the command or program, as the documentation shows it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.tools import Tool

PROGRAMS: Final = Path(__file__).parent / "programs"

ADDRESS: Final = "localhost:8000"
"""Stands for the service in commands and programs"""

PHOTO: Final = "photo.jpg"
"""The file that commands and programs send, in their working directory"""


@dataclass(frozen=True)
class Client:
    """`command` is a line of shell. It prints the body of each response."""

    name: str
    command: str
    needs: tuple[Tool, ...]

    version: str
    """A command that prints the version"""

    file: str = ""
    """The program in PROGRAMS; empty: `command` is all there is."""

    build: str = ""
    """A command that compiles the program"""

    reuses: bool = False
    """Takes several photos and sends them over one connection."""

    photo_bytes: int = 0
    """Size to which the photo is padded"""

    nginx: str = ""
    """nginx is between client and service, with this directive."""
