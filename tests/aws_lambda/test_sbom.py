"""make sbom: the list of what an image holds."""

import json
import subprocess
from pathlib import Path

import pytest

from local.common.emulator import docker
from tests.support.paths import ROOT
from tests.support.tools import SBOM, needs

pytestmark = needs(SBOM)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the environment of the tool."""
    python = Path(SBOM.path() or "").with_name("python")
    return subprocess.run(
        [python, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_package_of_the_image_is_listed(web_image: str, tmp_path: Path) -> None:
    """The command checks the document against CycloneDX's schema."""
    output = tmp_path / "sbom.json"
    done = run("-m", "local.sbom", web_image, "--output", str(output))
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(output.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    listed = {
        (each["name"], each["version"])
        for each in document["components"]
        if each["type"] == "library"
    }
    code = (
        "from importlib.metadata import distributions as d; "
        "print(*(f'{x.name}=={x.version}' for x in d(path=['/var/task'])))"
    )
    printed = docker("run", "--rm", "--entrypoint", "python", web_image, "-c", code)
    assert listed == {tuple(each.split("==")) for each in printed.split()}
    card = json.loads((ROOT / "function" / "model" / "model.json").read_bytes())
    (model,) = (each for each in document["components"] if each["type"] == "machine-learning-model")
    assert model["hashes"] == [{"alg": "SHA-256", "content": card["sha256"]}]


@pytest.mark.parametrize(
    "document", ["{}", '{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": 1}']
)
def test_invalid_document_is_refused(document: str) -> None:
    code = "import sys; from local.sbom.tool import validate; validate(sys.argv[1])"
    done = run("-c", code, document)
    assert "The document is not valid CycloneDX 1.6" in done.stderr


def test_missing_image_is_one_line_and_status_2(base_image: None, tmp_path: Path) -> None:
    done = run("-m", "local.sbom", "no-such-image", "--output", str(tmp_path / "sbom.json"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no-such-image cannot be read: ")
    assert line.endswith("Build it: make image")
