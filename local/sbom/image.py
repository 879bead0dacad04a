"""What an image of the project says of itself, and the folder of its packages."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.common.cli import UsageError
from local.common.emulator import docker

_FOLDER: Final = "/var/task"
_LABEL: Final = "org.opencontainers.image."


@dataclass(frozen=True)
class ImageFacts:
    """The name of an image, its OCI labels without their common prefix, and its model card."""

    name: str
    labels: dict[str, str]
    card: dict[str, Any]


@dataclass(frozen=True)
class Image:
    """An image, and a copy of its packages on this machine."""

    facts: ImageFacts
    packages: Path


@contextmanager
def read_image(name: str) -> Iterator[Image]:
    """The image `name`, of which no program is run. The copy is removed at the end. Raises
    `UsageError`."""
    with tempfile.TemporaryDirectory(prefix="sbom-") as folder:
        try:
            labels = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", name)) or {}
            container = docker("create", name)
            try:
                docker("cp", f"{container}:{_FOLDER}", folder)
            finally:
                docker("rm", container)
        except OSError:
            raise UsageError("Docker is needed: https://docs.docker.com/engine/install/") from None
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["docker failed"])[-1]
            raise UsageError(f"{name} cannot be read: {reason}. Build it: make image") from None
        packages = Path(folder) / Path(_FOLDER).name
        card = packages / "model" / "model.json"
        if not card.exists():
            raise UsageError(f"{name} is not an image of this project: {_FOLDER} has no model.")
        facts = ImageFacts(
            name,
            {key.removeprefix(_LABEL): value for key, value in labels.items() if value},
            json.loads(card.read_bytes()),
        )
        yield Image(facts, packages)
