"""The OpenAPI document, and responses that conform to it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pytest

from classifier.api import schemas
from tests.support.explaining import explaining_model
from tests.support.paths import ROOT
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def test_openapi_describes_classify(document: Json) -> None:
    classify = document["paths"]["/"]["post"]
    assert set(classify["requestBody"]["content"]) == {
        "multipart/form-data",
        "application/octet-stream",
        "application/json",
    }
    assert {"200", "400", "408", "413", "415", "422", "503"} == set(classify["responses"])


def test_document_is_valid_openapi(document: Json) -> None:
    openapi_spec_validator.validate(document)


def test_every_operation_parameter_and_response_has_a_text(document: Json) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            for parameter in operation.get("parameters", []):
                assert parameter["description"]
            for response in operation["responses"].values():
                assert response["description"] not in {"", "Successful Response"}


def test_one_image_and_several_have_one_shape_each(document: Json) -> None:
    content = document["paths"]["/"]["post"]["responses"]["200"]["content"]["application/json"]
    assert [shape["$ref"] for shape in content["schema"]["oneOf"]] == [
        "#/components/schemas/Result",
        "#/components/schemas/Results",
    ]
    one, several = (example["value"] for example in content["examples"].values())
    schemas.Result.model_validate(one)
    assert len(schemas.Results.model_validate(several).root) == 2


def test_every_problem_has_an_example(document: Json) -> None:
    """The types that a classification can have, without a bucket and a key."""
    responses = document["paths"]["/"]["post"]["responses"]
    found = {
        schemas.Problem.model_validate(example["value"]).type
        for status, response in responses.items()
        if status != "200"
        for example in response["content"]["application/problem+json"]["examples"].values()
    }
    assert {
        "/problems#malformed-multipart",
        "/problems#unreadable-image",
        "/problems#queue-full",
    } <= found
    assert not {"/problems#unauthorized", "/problems#invalid-key"} & found


FEW, MANY = 10, 60
"""Examples for each operation."""


def assert_conforms(url: str, place: Path, examples: int, *options: str) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--max-examples", str(examples), "--seed", "1", "--suppress-health-check", "all"),
            *("--generation-database", "none", "--request-timeout", str(HANG_SECONDS)),
            # The service closes idle connections, perhaps at the moment of the next request.
            *("--header", "Connection: close", *options),
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


@pytest.mark.slow
def test_responses_of_a_model_that_explains_conform_to_openapi(tmp_path: Path) -> None:
    with serving(tmp_path / "log", MODEL_DIR=str(explaining_model(tmp_path))) as service:
        assert_conforms(service.url, tmp_path, FEW, "--phases", "coverage,fuzzing")
