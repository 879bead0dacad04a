"""The OpenAPI document, and responses that conform to it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from classifier.api import schemas
from tests.support.paths import ROOT
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS


def test_openapi_describes_classify(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    classify = document["paths"]["/"]["post"]
    assert set(classify["requestBody"]["content"]) == {
        "multipart/form-data",
        "image/*",
        "application/octet-stream",
        "application/json",
    }
    assert {"200", "400", "408", "413", "415", "422", "503"} == set(classify["responses"])
    text = str(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"]
    example = document["components"]["schemas"]["Result"]["examples"][0]
    assert schemas.Result.model_validate(example).predictions


FEW, MANY = 10, 60
"""Examples for each operation."""


def assert_conforms(url: str, place: Path, examples: int, *options: str) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--max-examples", str(examples), "--seed", "1", "--suppress-health-check", "all"),
            *("--generation-database", "none", "--request-timeout", str(HANG_SECONDS), *options),
        ],
        cwd=place,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.support.schema_hooks",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def test_responses_conform_to_openapi(server: Server, tmp_path: Path) -> None:
    assert_conforms(server.url, tmp_path, FEW, "--phases", "coverage,fuzzing")


@pytest.mark.slow
def test_many_responses_conform_to_openapi(server: Server, tmp_path: Path) -> None:
    assert_conforms(server.url, tmp_path, MANY)


@pytest.mark.slow
def test_responses_with_bucket_and_key_conform_to_openapi(bucket: str, tmp_path: Path) -> None:
    with serving(tmp_path / "log", BUCKET=bucket, API_KEY="secret") as service:
        assert_conforms(service.url, tmp_path, MANY, "--header", "Authorization: Bearer secret")
