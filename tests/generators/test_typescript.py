"""openapi-typescript: types from `/openapi.json`, with which a program of TypeScript compiles and
classifies photos."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server
from tests.support.tools import NODE, TYPESCRIPT, needs
from tests.support.wait import HANG_SECONDS

pytestmark = [pytest.mark.slow, needs(NODE), needs(TYPESCRIPT)]

PROGRAM: Final = Path(__file__).parent / "typescript"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_generated_types_compile_and_classify_a_photo(
    client: httpx.Client, server: Server, tmp_path: Path
) -> None:
    document = tmp_path / "openapi.json"
    document.write_bytes(client.get("/openapi.json").content)
    for name in ("package.json", "tsconfig.json", "classify.ts", "run.mjs"):
        shutil.copy(PROGRAM / name, tmp_path)
    installed = Path(TYPESCRIPT.path() or "").parent / "node_modules"
    (tmp_path / "node_modules").symlink_to(installed)
    commands = installed / ".bin"

    generated = run(
        commands / "openapi-typescript", document, "--output", "schema.ts", cwd=tmp_path
    )
    assert "warn" not in (generated.stdout + generated.stderr).lower()
    run(commands / "tsc", cwd=tmp_path)
    printed = json.loads(run("node", "run.mjs", server.url, SAMPLE, cwd=tmp_path).stdout)

    for results, count in ((printed["one"], 1), (printed["several"], 2), (printed["body"], 1)):
        assert [result["predictions"][0]["label"] for result in results] == [SAMPLE_LABEL] * count
    assert len(printed["one"][0]["predictions"]) == 3
    assert printed["problem"].startswith("415 /problems#unsupported-format: ")
