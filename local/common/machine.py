"""Machine and package versions of a measurement."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from local.common.cpu import cpu_count

_PACKAGES: Final = (
    *("onnxruntime", "numpy", "pillow", "fastapi", "starlette", "pydantic", "uvicorn", "mangum"),
    *("uvloop", "httptools", "orjson"),
)
_TELLING_FLAGS: Final = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "asimddp": "dot product",
}


def facts() -> dict[str, Any]:
    """Machine, package versions and date (UTC)."""
    return {**when_and_where(), "versions": {"python": platform.python_version(), **_versions()}}


def when_and_where() -> dict[str, Any]:
    """Date (UTC) and machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "cpu": _cpu(),
            "cores": cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": round(os.getloadavg()[0], 2),
        },
    }


def version(package: str, python: Path | str) -> str:
    """The version of `package` in the environment of `python`, or an empty string."""
    code = "import sys; from importlib import metadata; print(metadata.version(sys.argv[1]))"
    output = subprocess.run(
        [python, "-c", code, package], capture_output=True, text=True, check=False
    )
    return output.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    """The processor's name and its instruction sets for 8-bit arithmetic."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    telling = [name for flag, name in _TELLING_FLAGS.items() if flag in flags]
    name = fields.get("model name") or platform.machine()
    return f"{name} ({', '.join(telling)})" if telling else name
