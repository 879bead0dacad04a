"""openapi-python-client: the package that it generates from `/openapi.json` classifies photos."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.explaining import explaining_model
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL, SAMPLE_TOP5
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

pytestmark = pytest.mark.slow

COMMANDS: Final = Path(sys.executable).parent
PACKAGE: Final = "image_classifier_client"

PROGRAM: Final = f"""
import inspect, json, sys
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from {PACKAGE} import AuthenticatedClient, Client
from {PACKAGE}.api.images import classify
from {PACKAGE}.models import Base64Image, ImageForm, Problem, Result
from {PACKAGE}.types import File

url, key, path = sys.argv[1:]
client = AuthenticatedClient(url, token=key) if key else Client(url)

def file(content):
    return File(BytesIO(content), "photo.jpg", "image/jpeg")

def classified(body):
    response = classify.sync(client=client, body=body, top_k=3)
    if isinstance(response, Problem):
        return f"{{response.status}} {{response.type_}}"
    results = [response] if isinstance(response, Result) else response
    return [[prediction.label for prediction in result.predictions] for result in results]

def explained(body):
    if "explain" not in inspect.signature(classify.sync).parameters:
        return None
    explanation = classify.sync(client=client, body=body, explain=True).explanation
    return {{
        "class": explanation.index,
        "grid": [len(explanation.grid), len(explanation.grid[0])],
        "square": explanation.box.width == explanation.box.height > 0,
    }}

photo = Path(path).read_bytes()
print(json.dumps({{
    "one": classified(ImageForm(file=[file(photo)])),
    "several": classified(ImageForm(file=[file(photo), file(photo)])),
    "body": classified(file(photo)),
    "json": classified(Base64Image(b64encode(photo).decode())),
    "explained": explained(file(photo)),
    "problem": classified(ImageForm(file=[file(b"just text")])),
}}))
"""


def classify(service: Server, place: Path, key: str = "") -> dict[str, Any]:
    """Generate a client for `service` in `place`. Returns what it gets."""
    document = place / "openapi.json"
    document.write_bytes(httpx.get(f"{service.url}/openapi.json", timeout=HANG_SECONDS).content)
    # The generator formats the package with ruff, which it finds on the path.
    environment = {**os.environ, "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"}
    generated = subprocess.run(
        [
            *(COMMANDS / "openapi-python-client", "generate", "--path", document),
            *("--meta", "none", "--output-path", place / PACKAGE, "--fail-on-warning"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert generated.returncode == 0, generated.stdout + generated.stderr
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, service.url, key, SAMPLE],
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def assert_classifies(printed: dict[str, Any]) -> None:
    for name, count in (("one", 1), ("several", 2), ("body", 1), ("json", 1)):
        assert [labels[0] for labels in printed[name]] == [SAMPLE_LABEL] * count
        assert {len(labels) for labels in printed[name]} == {3}
    assert printed["problem"] == "415 /problems#unsupported-format"


def test_generated_client_classifies_a_photo(server: Server, tmp_path: Path) -> None:
    assert_classifies(classify(server, tmp_path))


def test_generated_client_gets_the_explanation(tmp_path: Path) -> None:
    with serving(tmp_path / "log", MODEL_DIR=str(explaining_model(tmp_path))) as service:
        printed = classify(service, tmp_path)
    assert_classifies(printed)
    assert printed["explained"] == {"class": SAMPLE_TOP5[0], "grid": [7, 7], "square": True}


def test_generated_client_sends_the_key(bucket: str, tmp_path: Path) -> None:
    """Given a deployment with a bucket: its document has more bodies and operations."""
    with serving(tmp_path / "log", BUCKET=bucket, API_KEY="secret") as service:
        assert_classifies(classify(service, tmp_path, key="secret"))
