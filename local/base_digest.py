"""Pin the base image of the container: write its current digest into the Dockerfile.

The digest is that of the tag in the registry, for all architectures. It needs Docker and the
registry; run it as often as the base image should be renewed, and then the tests of the image.

examples:
  make base-digest                     write the digest into the Dockerfile
  python -m local.base_digest --check  write nothing; exit status 1 if there is a newer image
  python -m local.base_digest --none   remove it: builds use the newest image of the tag
"""

import argparse
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.common.cli import OneLineParser, UsageError, main
from local.common.emulator import docker
from local.common.paths import ROOT

_IMAGE: Final = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)
_DIGEST: Final = re.compile(r"^(ARG BASE_DIGEST=)(\S*)$", re.MULTILINE)
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}")


def base_digest(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status. Raises `UsageError`."""
    options = _parser().parse_args(arguments)
    text = _read(options.dockerfile)
    image, pinned = _values(text, options.dockerfile)
    digest = "" if options.none else current_digest(image)
    if options.check:
        print(f"{image}: {digest}" + ("" if digest == pinned else f", pinned is {pinned or None}"))
        return int(digest != pinned)
    options.dockerfile.write_text(_DIGEST.sub(rf"\g<1>{digest}", text))
    print(f"{image}: {digest or 'not pinned'}" + (" (unchanged)" if digest == pinned else ""))
    return 0


def current_digest(image: str) -> str:
    """The digest of `image`, a name with a tag, in its registry: sha256 and 64 hexadecimal digits.
    Raises `UsageError` if there is no Docker, or if the registry does not respond."""
    try:
        try:  # downloads nothing, but is a plugin that may be missing
            found = docker(
                "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"
            )
            digest = str(json.loads(found)["digest"])
        except subprocess.CalledProcessError:
            docker("pull", "--quiet", image)
            digest = _pulled_digest(image)
    except OSError:
        raise UsageError("Docker is needed: https://docs.docker.com/engine/install/") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["docker pull failed"]
        raise UsageError(f"The digest of {image} cannot be read: {lines[-1]}") from None
    if not _SHA256.fullmatch(digest):
        raise UsageError(f"The registry has no SHA-256 digest of {image}: {digest!r}.")
    return digest


def _pulled_digest(image: str) -> str:
    """The digest with which the registry of `image` answered the pull: for an image of several
    architectures, that of their list."""
    repository = image.rpartition(":")[0]
    found = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", image))
    return next(
        (each.rpartition("@")[2] for each in found if each.startswith(f"{repository}@")), ""
    )


def _read(dockerfile: Path) -> str:
    try:
        return dockerfile.read_text()
    except OSError as error:
        raise UsageError(f"{str(dockerfile)!r} cannot be read: {error.strerror}.") from None


def _values(text: str, dockerfile: Path) -> tuple[str, str]:
    """The base image, with its tag, and the pinned digest, or an empty string."""
    image, digest = _IMAGE.search(text), _DIGEST.search(text)
    if not image or not digest:
        raise UsageError(f"{str(dockerfile)!r} needs lines ARG BASE_IMAGE=… and ARG BASE_DIGEST=…")
    return image[1], digest[2]


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = OneLineParser(
        prog="python -m local.base_digest",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare, and write nothing")
    action.add_argument("--none", action="store_true", help="remove the digest")
    parser.add_argument(
        "--dockerfile", type=Path, default=ROOT / "Dockerfile", help="default: the project's"
    )
    return parser


if __name__ == "__main__":
    main(base_digest)
