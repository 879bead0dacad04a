"""`function_to_apply` of Hugging Face's clients must be the activation of the model."""

import base64
import json
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.classifier.api.problem import assert_problem
from tests.support.paths import SHIPPED_MODEL
from tests.support.server import serving


def post(client: httpx.Client, image: bytes, function: Any) -> httpx.Response:
    text = base64.b64encode(image).decode()
    parameters = {"function_to_apply": function, "top_k": 1}
    return client.post("/", json={"inputs": text, "parameters": parameters})


@pytest.fixture(scope="module")
def sigmoid_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a model whose card states a sigmoid."""
    model = tmp_path_factory.mktemp("sigmoid") / "model"
    shutil.copytree(SHIPPED_MODEL, model)
    card = json.loads((model / "model.json").read_text())
    card["output"]["activation"] = "sigmoid"
    (model / "model.json").write_text(json.dumps(card))
    with serving(model.parent / "log", MODEL_DIR=str(model)) as server:
        yield server.client


@pytest.mark.parametrize("function", [None, "softmax"])
def test_cards_without_an_activation_are_of_softmax(
    function: str | None, client: httpx.Client, sample: bytes
) -> None:
    (prediction,) = post(client, sample, function).json()
    assert prediction.keys() == {"label", "score"}


@pytest.mark.parametrize("function", ["sigmoid", "none", 5, ["softmax"], {}])
def test_other_functions_than_softmax_get_422(
    function: Any, client: httpx.Client, sample: bytes
) -> None:
    response = post(client, sample, function)
    assert_problem(response, 422, "'function_to_apply' must be softmax")


def test_the_activation_of_the_card_is_accepted_alone(
    sigmoid_client: httpx.Client, sample: bytes
) -> None:
    assert post(sigmoid_client, sample, "sigmoid").status_code == 200
    assert post(sigmoid_client, sample, None).status_code == 200
    response = post(sigmoid_client, sample, "softmax")
    assert_problem(response, 422, "'function_to_apply' must be sigmoid")
