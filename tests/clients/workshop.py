"""Runs clients as a person does: in a directory with the program and the photo."""

import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.clients.client import ADDRESS, PHOTO, PROGRAMS, Client
from tests.clients.outcome import Outcome, outcomes
from tests.support.paths import CLIENT_ENVIRONMENTS, SAMPLE
from tests.support.wait import HANG_SECONDS

RUN_SECONDS: Final = HANG_SECONDS
"""A client that takes longer hangs."""

_BUILD_SECONDS: Final = 300
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class Run:
    """`printed` and `errors` are the output of the client; one that `hung` was ended."""

    outcomes: list[Outcome]
    printed: str
    errors: str
    hung: bool

    @property
    def outcome(self) -> Outcome:
        """The only outcome; one without a status if there is none."""
        return self.outcomes[0] if len(self.outcomes) == 1 else Outcome(None)

    @property
    def word(self) -> str:
        return self.outcome.word(self.printed)


@dataclass
class Workshop:
    """`folder` is for the files of the clients. A program is compiled once for each address."""

    folder: Path
    _made: dict[tuple[Client, str], Path] = field(default_factory=dict)

    def run(self, client: Client, url: str, photo: Path, *, times: int = 1) -> Run:
        """Send `photo` `times` times to the service at `url`."""
        address = urlsplit(url).netloc
        place = self._place(client, address)
        sent = place / PHOTO
        sent.unlink(missing_ok=True)
        sent.symlink_to(photo)
        command = client.command.replace(ADDRESS, address)
        return _shell(command.replace(PHOTO, " ".join([PHOTO] * times)), place)

    def padded(self, size: int) -> Path:
        """The sample, padded to `size` bytes if it is smaller: decoders ignore what is behind the
        end of an image."""
        path = self.folder / f"{size}.jpg"
        if not path.exists():
            path.write_bytes(SAMPLE.read_bytes())
            if path.stat().st_size < size:
                os.truncate(path, size)
        return path

    def text(self) -> Path:
        """A file that is not an image."""
        path = self.folder / "text.jpg"
        path.write_text("This is not an image.\n" * 10)
        return path

    def version(self, client: Client) -> str:
        """The version of the client, without the release of its package."""
        run = _shell(client.version, self._place(client, ADDRESS, build=False))
        found = _VERSION.search(run.printed)
        assert found, f"{client.version}: {run}"
        return found[0]

    def _place(self, client: Client, address: str, *, build: bool = True) -> Path:
        """The client's directory, with the program for the service at `address`."""
        key = client, address
        if key not in self._made:
            place = self.folder / str(len(self._made))
            place.mkdir()
            (place / "node_modules").symlink_to(CLIENT_ENVIRONMENTS / "node" / "node_modules")
            if client.file:
                program = (PROGRAMS / client.file).read_text("utf-8")
                (place / client.file).write_text(program.replace(ADDRESS, address), "utf-8")
            if client.build and build:
                subprocess.run(
                    shlex.split(client.build), cwd=place, check=True, timeout=_BUILD_SECONDS
                )
            self._made[key] = place
        return self._made[key]


def _shell(command: str, folder: Path) -> Run:
    """Run `command` in `folder`."""
    path = f"{CLIENT_ENVIRONMENTS / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # a pipeline is ended as a whole
    )
    hung = False
    try:
        printed, errors = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(process.pid, signal.SIGKILL)
        printed, errors = process.communicate()
    return Run(outcomes(printed), printed, errors, hung)
