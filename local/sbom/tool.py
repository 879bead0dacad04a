"""cyclonedx-py, the generator of CycloneDX's project, and its library's check of a document.

Both are in an environment of their own: make .venv-sbom/.made. Declined: syft and Trivy, which also
read the packages of Amazon Linux, but are no Python packages that can be pinned with the others.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from local.common.cli import UsageError

SCHEMA: Final = "1.6"
"""The version of CycloneDX; ECMA-424 is this one."""

_PROGRAM: Final = Path(sys.executable).with_name("cyclonedx-py")


def describe_packages(folder: Path) -> dict[str, Any]:
    """The document of all packages that are installed in `folder`. Raises `UsageError`."""
    # -S: the interpreter's own packages are left out.
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return _run("environment", "-S", sys.executable, environment=environment)


def describe_pins(requirements: Iterable[Path]) -> dict[str, Any]:
    """The document of all that `requirements` pin, with the hashes. Raises `UsageError`."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in requirements)
    return _run("requirements", "-", stdin=text)


def validate(text: str) -> None:
    """Raises `UsageError` if the schema does not allow the document."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.from_version(SCHEMA)).validate_str(text)
    if problem:
        raise UsageError(f"The document is not valid CycloneDX {SCHEMA}: {problem}")


def _run(
    *arguments: str, environment: dict[str, str] | None = None, stdin: str = ""
) -> dict[str, Any]:
    options = ("--sv", SCHEMA, "--of", "JSON", "--output-reproducible")
    try:
        done = subprocess.run(
            [_PROGRAM, *arguments, *options],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
    except OSError:
        raise UsageError("cyclonedx-py is missing. Run: make sbom") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise UsageError(f"cyclonedx-py failed: {lines[-1]}") from None
    document: dict[str, Any] = json.loads(done.stdout)
    return document
