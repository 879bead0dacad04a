"""A virtual environment for each server outside this project."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.benchmark.servers.server import MeasurementError, Server
from local.common.paths import ROOT

_HOME: Final = ROOT / "build" / "peers"
_REQUIREMENTS: Final = Path(__file__).parent
_INSTALL_SECONDS: Final = 900.0


def python_of(competitor: Server, progress: Callable[[str], None]) -> Path:
    """The Python with the packages that `<key>.txt` pins; installed if missing or if the pins have
    changed. Raises `MeasurementError`."""
    wanted = (_REQUIREMENTS / f"{competitor.key}.txt").read_text()
    home = _HOME / competitor.key
    python, stamp = home / "bin" / "python", home / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return python
    progress(f"installing {competitor.title} in {home.relative_to(ROOT)}")
    venv.create(home, clear=True, with_pip=True)
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    try:
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "install",
                *options,
                "-r",
                _REQUIREMENTS / f"{competitor.key}.txt",
            ],
            check=True,
            stdout=sys.stderr,
            timeout=_INSTALL_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise MeasurementError(f"{competitor.title} cannot be installed: {error}") from None
    stamp.write_text(wanted)
    return python
