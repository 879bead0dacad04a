"""Processors of other kinds, emulated by QEMU, that run a Python program with ONNX Runtime."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.tools import ARM64_PYTHON, QEMU, Tool


@dataclass(frozen=True)
class Cpu:
    """A processor; `model` is QEMU's name for it, None is the one of this machine."""

    title: str
    model: str | None
    tool: Tool | None

    def run(self, program: Path, *arguments: str) -> None:
        """Run a Python program on the processor. Raises `subprocess.CalledProcessError`."""
        command = [sys.executable]
        environment = dict(os.environ)
        if self.tool is ARM64_PYTHON:
            command = shlex.split(os.environ["ARM64_PYTHON"])
            environment["QEMU_CPU"] = str(self.model)
        elif self.tool is QEMU:
            command = [str(QEMU.path()), "-cpu", str(self.model), sys.executable]
        subprocess.run(
            [*command, str(program), *arguments], check=True, capture_output=True, env=environment
        )


HERE: Final = Cpu("this processor", None, None)

OTHERS: Final = (
    Cpu("x86-64, AVX2 without VNNI (Haswell)", "Haswell", QEMU),
    Cpu("x86-64, SSE4.2 without AVX (Nehalem)", "Nehalem", QEMU),
    Cpu("arm64 without dot products (Cortex-A57)", "cortex-a57", ARM64_PYTHON),
    Cpu("arm64 with dot products (Neoverse N1, Graviton2)", "neoverse-n1", ARM64_PYTHON),
    Cpu("arm64 with SVE and i8mm (Neoverse V1, Graviton3)", "neoverse-v1", ARM64_PYTHON),
)
"""AVX2 is the least that AWS promises on Lambda."""
