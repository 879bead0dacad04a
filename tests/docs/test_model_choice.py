"""The choice of a model: make run, the image and the template know the same names."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from local.common.paths import DEFAULT_NETWORK, NETWORKS
from tests.support.make import make
from tests.support.paths import ROOT

OTHER = NETWORKS[-1]


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        (DEFAULT_NETWORK, "function/model"),
        (OTHER, f"function/models/{OTHER}"),
        ("my-model", "my-model"),
    ],
)
def test_make_run_serves_a_model_by_name_or_folder(model: str, folder: str) -> None:
    assert f'MODEL_DIR="{folder}" ' in make("--dry-run", "run", f"MODEL={model}").stdout


def test_make_run_without_a_model_leaves_model_dir_to_the_environment() -> None:
    served = make("--dry-run", "run", "MODEL=").stdout
    assert "classifier.server" in served
    assert "MODEL_DIR" not in served


def test_make_run_refuses_an_unknown_model_with_the_choices() -> None:
    done = make("run", "MODEL=no-model")
    assert (done.returncode, done.stdout) == (2, "")
    first, *_ = done.stderr.splitlines()
    assert first == (
        f"There is no model no-model. MODEL is one of {' '.join(NETWORKS)}, or a folder with a "
        "model."
    )


@pytest.fixture
def function(tmp_path: Path) -> Path:
    """A folder with the models as `function` has them; each file has the name of its model."""
    folder = tmp_path / "function"
    for network in NETWORKS:
        model = folder / ("model" if network == DEFAULT_NETWORK else f"models/{network}")
        model.mkdir(parents=True)
        (model / "model.onnx").write_text(network)
    return folder


def choose(function: Path, model: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the Dockerfile that keeps the chosen model."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (step,) = [line[4:] for line in text.splitlines() if "$MODEL" in line]
    command = step.replace("/function", str(function))
    environment = {**os.environ, "MODEL": model}
    return subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_the_image_has_only_the_chosen_model(function: Path, network: str) -> None:
    assert choose(function, network).returncode == 0
    assert [path.name for path in function.iterdir()] == ["model"]
    assert (function / "model" / "model.onnx").read_text() == network


def test_the_default_model_needs_no_others(function: Path) -> None:
    for path in (function / "models").rglob("*.onnx"):
        path.unlink()
    assert choose(function, DEFAULT_NETWORK).returncode == 0
    assert (function / "model" / "model.onnx").read_text() == DEFAULT_NETWORK


@pytest.mark.parametrize("model", ["no-model", "", ".", "../model"])
def test_an_image_of_an_unknown_model_is_refused_with_the_choices(
    function: Path, model: str
) -> None:
    done = choose(function, model)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: there is no model '{model}'. MODEL is one of: {' '.join(sorted(NETWORKS))}\n"
    )


def test_all_places_have_the_same_names() -> None:
    dockerfile, template = (ROOT / name for name in ("Dockerfile", "template.yaml"))
    assert re.findall(r"^ARG MODEL=(\S+)$", dockerfile.read_text(), re.M) == [DEFAULT_NETWORK]
    (names,) = re.findall(r"^NETWORKS := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert tuple(names.split()) == NETWORKS
    (block,) = re.findall(r"^  Model:\n(?:    .+\n)+", template.read_text(), re.M)
    assert f"AllowedValues: [{', '.join(NETWORKS)}]\n" in block
    assert f"Default: {DEFAULT_NETWORK}\n" in block
