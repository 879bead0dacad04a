"""`?min_probability=`: predictions below it are left out."""

import httpx
import pytest

from classifier.api import schemas
from classifier.api.classify import parse_min_probability
from classifier.errors import InvalidParameter
from tests.classifier.api.problem import assert_problem

Predictions = list[dict[str, float]]


@pytest.fixture(scope="module")
def five(client: httpx.Client, sample: bytes) -> Predictions:
    """The sample's predictions without the parameter, with different probabilities."""
    found: Predictions = client.post("/", files={"file": sample}).json()["predictions"]
    assert len({prediction["probability"] for prediction in found}) == 5
    return found


def classify(client: httpx.Client, sample: bytes, **params: str | float) -> Predictions:
    response = client.post("/", params=params, files={"file": sample})
    assert response.status_code == 200
    schemas.Result.model_validate(response.json())
    predictions: Predictions = response.json()["predictions"]
    return predictions


@pytest.mark.parametrize("count", [1, 2, 5])
def test_less_probable_classes_are_left_out(
    client: httpx.Client, sample: bytes, five: Predictions, count: int
) -> None:
    limit = five[count - 1]["probability"]
    assert classify(client, sample, min_probability=limit) == five[:count]


def test_0_leaves_out_nothing(client: httpx.Client, sample: bytes, five: Predictions) -> None:
    assert classify(client, sample, min_probability=0) == five


def test_predictions_are_empty_if_no_class_is_as_probable(
    client: httpx.Client, sample: bytes, five: Predictions
) -> None:
    limit = five[0]["probability"] + 1e-6
    assert classify(client, sample, min_probability=limit) == []


def test_top_k_holds_as_well(client: httpx.Client, sample: bytes, five: Predictions) -> None:
    assert classify(client, sample, min_probability=0, top_k=2) == five[:2]
    limit = five[1]["probability"]
    assert classify(client, sample, min_probability=limit, top_k=100) == five[:2]


def test_each_of_several_images_is_filtered(
    client: httpx.Client, sample: bytes, five: Predictions
) -> None:
    params = {"min_probability": five[0]["probability"]}
    files = [("file", sample)] * 2
    first, second = client.post("/", params=params, files=files).json()
    assert first["predictions"] == second["predictions"] == five[:1]


def test_hugging_faces_clients_get_an_empty_list(client: httpx.Client, sample: bytes) -> None:
    headers = {"user-agent": "unknown/None; hf_hub/1.0.0"}
    response = client.post("/", params={"min_probability": 1}, content=sample, headers=headers)
    assert response.json() == []


def test_the_page_says_that_no_class_is_left(client: httpx.Client, sample: bytes) -> None:
    headers = {"accept": "text/html", "sec-fetch-mode": "navigate"}
    files = {"file": sample}
    response = client.post("/", params={"min_probability": 1}, files=files, headers=headers)
    assert "No class is as probable as requested." in response.text
    assert "<ol></ol>" not in response.text


@pytest.mark.parametrize("value", ["1.01", "-0.1", "nan", "", "half"])
def test_invalid_min_probability_gets_422(client: httpx.Client, sample: bytes, value: str) -> None:
    response = client.post("/", params={"min_probability": value}, files={"file": sample})
    message = f"min_probability must be a number from 0 to 1; it is {value!r}"
    assert_problem(response, 422, message)


@pytest.mark.parametrize(
    "value", ["0_1", "\u0660", "inf", "-inf", "1e9", "0,5", "50%", "0x1", "0." + "1" * 5000]
)
def test_parse_min_probability_refuses_invalid_values(value: str) -> None:
    with pytest.raises(InvalidParameter, match="min_probability must be a number from 0 to 1"):
        parse_min_probability(value)


def test_parse_min_probability_accepts_0_to_1() -> None:
    values = (None, "0", "0.25", ".5", "1e-3", "1", "0.30000000000000004")
    assert [parse_min_probability(value) for value in values] == [0, 0, 0.25, 0.5, 1e-3, 1, 0.1 * 3]
