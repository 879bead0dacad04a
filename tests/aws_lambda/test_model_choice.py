"""docker build --build-arg MODEL, and the template's parameter Model."""

import json
import subprocess

import pytest

from local.common.emulator import docker, running
from tests.aws_lambda.test_sam import ENVIRONMENT
from tests.support.lambda_events import v2
from tests.support.paths import ROOT, SHIPPED_MODELS
from tests.support.tools import SAM, needs

IMAGE = "classifier-with-another-model"
MODEL = SHIPPED_MODELS[-1]


def test_image_serves_the_chosen_model_and_has_no_other(base_image: None) -> None:
    card = json.loads((MODEL / "model.json").read_bytes())
    name = card["name"].removesuffix("-int8")
    docker("build", "--quiet", "--tag", IMAGE, "--build-arg", f"MODEL={name}", ".")
    with running(IMAGE, "--memory", "1769m") as function:
        health = function.invoke(v2("GET", "/healthz", b"", {}))
        files = docker("exec", function.container, "ls", "/var/task")
    assert json.loads(health["body"])["model"] == card["name"]
    assert "model" in files.split()
    assert "models" not in files.split()


def test_image_of_an_unknown_model_is_not_built(base_image: None) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        docker("build", "--quiet", "--build-arg", "MODEL=no-model", ".")
    assert "there is no model 'no-model'. MODEL is one of: efficientnet" in (
        failed.value.stderr + failed.value.stdout
    )


@needs(SAM)
def test_parameter_of_the_template_is_the_argument_of_the_build(
    sam: str, base_image: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # given a wrong name, which fails at once
    folder = str(tmp_path_factory.mktemp("sam") / "build")
    command = [sam, "build", "--build-dir", folder, "--parameter-overrides", "Model=no-model"]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 1
    assert "there is no model 'no-model'" in done.stdout + done.stderr
