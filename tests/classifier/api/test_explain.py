"""`?explain=1`: how much each part of the image contributes to the first class."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import openapi_spec_validator
import pytest
from PIL import Image

from classifier.api import schemas
from tests.classifier.api.problem import assert_problem
from tests.support.explaining import explaining_model, unexplaining_model
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_TOP5, encode
from tests.support.server import Server, serving, start_refused

Json = dict[str, Any]


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("explaining")
    model = explaining_model(folder)
    with serving(folder / "log", MODEL_DIR=str(model)) as server:
        yield server


@pytest.fixture(scope="module")
def unexplaining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("unexplaining")
    with serving(folder / "log", MODEL_DIR=str(unexplaining_model(folder))) as server:
        yield server


def explained(server: Server, image: bytes, **params: str | int) -> Json:
    response = server.client.post("/", params={"explain": 1, **params}, files={"file": image})
    assert response.status_code == 200, response.text
    schemas.Result.model_validate(response.json())
    found: Json = response.json()
    return found


def test_explanation_is_of_the_first_class(explaining: Server, sample: bytes) -> None:
    result = explained(explaining, sample)
    plain = explaining.client.post("/", files={"file": sample}).json()
    explanation = result.pop("explanation")
    assert result == plain
    assert explanation["index"] == SAMPLE_TOP5[0]
    assert np.shape(explanation["grid"]) == (7, 7)
    assert np.ptp(explanation["grid"]) > 1


@pytest.mark.parametrize("value", ["0", "false", "False"])
def test_explain_is_off_by_default(explaining: Server, sample: bytes, value: str) -> None:
    plain = explaining.client.post("/", files={"file": sample})
    off = explaining.client.post("/", params={"explain": value}, files={"file": sample})
    assert "explanation" not in plain.json()
    assert off.json() == plain.json()


def test_box_is_the_centred_square_of_the_image(explaining: Server, sample: bytes) -> None:
    with Image.open(BytesIO(sample)) as image:
        width, height = image.size
    side = 0.875 * min(width, height)
    assert explained(explaining, sample)["explanation"]["box"] == pytest.approx(
        {"x": (width - side) / 2, "y": (height - side) / 2, "width": side, "height": side}, abs=0.1
    )


def test_box_and_grid_are_of_the_upright_image(explaining: Server) -> None:
    """Given a photo on its side, and the EXIF orientation that turns it."""
    with Image.open(SAMPLE) as image:
        upright = image.convert("RGB").resize((600, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    lying = encode(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    expected = explained(explaining, encode(upright, "PNG"))["explanation"]
    found = explained(explaining, lying)["explanation"]
    assert found["box"] == expected["box"] == {"x": 125, "y": 25, "width": 350, "height": 350}
    np.testing.assert_allclose(found["grid"], expected["grid"], atol=2)


def test_hot_cells_follow_the_object(explaining: Server) -> None:
    """Given the sample photo, and its mirror image."""
    with Image.open(SAMPLE) as image:
        photo = image.convert("RGB")
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    grids = [
        np.array(explained(explaining, encode(each, "PNG"))["explanation"]["grid"])
        for each in (photo, mirrored)
    ]
    straight = np.corrcoef(grids[0].ravel(), grids[1][:, ::-1].ravel())[0, 1]
    crossed = np.corrcoef(grids[0].ravel(), grids[1].ravel())[0, 1]
    assert straight > 0.8 > crossed


def test_several_images_get_an_explanation_each(explaining: Server, sample: bytes) -> None:
    grey = encode(Image.new("L", (300, 200), 128), "PNG")
    files = [("file", sample), ("file", grey)]
    results = explaining.client.post("/", params={"explain": "true"}, files=files).json()
    alone = [explained(explaining, image) for image in (sample, grey)]
    assert results == alone


def test_other_parameters_hold_as_well(explaining: Server, sample: bytes) -> None:
    """Also if they leave out the class that is explained."""
    params = {"explain": 1, "min_probability": 1, "list": 1}
    (result,) = explaining.client.post("/", params=params, content=sample).json()
    assert result["predictions"] == []
    assert result["explanation"]["index"] == SAMPLE_TOP5[0]


def test_hugging_faces_clients_get_labels_only(explaining: Server, sample: bytes) -> None:
    headers = {"user-agent": "unknown/None; hf_hub/1.0.0"}
    response = explaining.client.post("/", params={"explain": 1}, content=sample, headers=headers)
    assert {frozenset(each) for each in response.json()} == {frozenset({"label", "score"})}


def test_model_without_a_map_gets_422(unexplaining: Server, sample: bytes) -> None:
    response = unexplaining.client.post("/", params={"explain": 1}, files={"file": sample})
    assert_problem(response, 422, "cannot explain its predictions: it has no class activation map")
    params = {"explain": 0}
    assert unexplaining.client.post("/", params=params, files={"file": sample}).is_success


@pytest.mark.parametrize("value", ["", "2", "yes"])
def test_invalid_explain_gets_422(explaining: Server, sample: bytes, value: str) -> None:
    response = explaining.client.post("/", params={"explain": value}, files={"file": sample})
    assert_problem(response, 422, f"explain must be true or false; it is {value!r}")


def parameters(server: Server) -> list[str]:
    document = server.client.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    return [each["name"] for each in document["paths"]["/"]["post"]["parameters"]]


def test_only_models_that_explain_document_the_parameter(
    explaining: Server, unexplaining: Server
) -> None:
    assert "explain" in parameters(explaining)
    assert "explain" not in parameters(unexplaining)


def test_card_that_promises_a_map_which_is_not_there_refuses_to_start(tmp_path: Path) -> None:
    model = unexplaining_model(tmp_path, promise=True)
    line = start_refused(MODEL_DIR=str(model))
    assert "model.onnx has no class activation map" in line
