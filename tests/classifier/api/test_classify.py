"""POST / over a real uvicorn: one image, several images, top_k, and the refusals."""

import re
from base64 import b64encode

import httpx
import pytest
from PIL import Image
from starlette.requests import Request

from classifier.api import schemas
from classifier.api.classify import parse_top_k
from classifier.errors import InvalidParameter
from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_LABEL, SAMPLE_TOP5, SAMPLE_WNID, encode

MIB = 2**20


def test_form_upload_gets_predictions(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", files={"file": ("sample.jpg", sample)})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    result = schemas.Result.model_validate(response.json())
    assert [prediction.index for prediction in result.predictions] == SAMPLE_TOP5
    first = result.predictions[0]
    assert (first.label, first.wnid) == (SAMPLE_LABEL, SAMPLE_WNID)
    probabilities = [prediction.probability for prediction in result.predictions]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0.3 < probabilities[0] < 0.6
    assert result.model == client.get("/model").json()["name"]


def test_server_timing_reports_durations(client: httpx.Client, sample: bytes) -> None:
    timing = client.post("/", files={"file": sample}).headers["server-timing"]
    assert re.fullmatch(r"queue;dur=\d+\.\d\d, decode;dur=\d+\.\d\d, infer;dur=\d+\.\d\d", timing)


def test_raw_body_gets_the_result_of_a_form(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", content=sample, headers={"content-type": "image/jpeg"})
    assert response.json() == client.post("/", files={"file": sample}).json()


def test_chunked_body_is_classified(client: httpx.Client, sample: bytes) -> None:
    chunks = (sample[start : start + 1000] for start in range(0, len(sample), 1000))
    response = client.post("/", content=chunks, headers={"content-type": "image/jpeg"})
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_several_images_get_results_in_order(client: httpx.Client, sample: bytes) -> None:
    grey = encode(Image.new("L", (300, 300), 128), "PNG")
    files = [("file", sample), ("file", grey), ("file", sample)]
    results = client.post("/", files=files).json()
    alone = [client.post("/", files={"file": image}).json() for image in (sample, grey)]
    assert results == [alone[0], alone[1], alone[0]]


@pytest.mark.parametrize("top_k", [1, 7, 100])
def test_top_k_sets_the_number_of_predictions(
    client: httpx.Client, sample: bytes, top_k: int
) -> None:
    response = client.post("/", params={"top_k": top_k}, files={"file": sample})
    assert len(response.json()["predictions"]) == top_k


@pytest.mark.parametrize("top_k", ["0", "101", "many", "-1"])
def test_invalid_top_k_gets_422(client: httpx.Client, sample: bytes, top_k: str) -> None:
    response = client.post("/", params={"top_k": top_k}, files={"file": sample})
    assert_problem(response, 422, "top_k")


@pytest.mark.parametrize("value", ["0", "101", "-1", "+5", "1.5", "", "five", "٣", "9" * 5000])
def test_parse_top_k_refuses_invalid_values(value: str) -> None:
    with pytest.raises(InvalidParameter, match="top_k must be a whole number from 1 to 100"):
        parse_top_k(value)


def test_parse_top_k_accepts_1_to_100() -> None:
    assert [parse_top_k(value) for value in (None, "1", "100")] == [5, 1, 100]


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_list_gives_a_list_for_one_image(client: httpx.Client, sample: bytes, value: str) -> None:
    response = client.post("/", params={"list": value, "top_k": 1}, files={"file": sample})
    (result,) = response.json()
    assert result == client.post("/", params={"top_k": 1}, files={"file": sample}).json()


def test_list_changes_nothing_for_several_images(client: httpx.Client, sample: bytes) -> None:
    files = [("file", sample)] * 2
    assert client.post("/", params={"list": "1"}, files=files).json() == (
        client.post("/", params={"list": "0"}, files=files).json()
    )


@pytest.mark.parametrize("value", ["", "2", "yes", "on", "[]", "ja"])
def test_invalid_list_gets_422(client: httpx.Client, sample: bytes, value: str) -> None:
    response = client.post("/", params={"list": value}, files={"file": sample})
    assert_problem(response, 422, f"list must be true or false; it is {value!r}")


def test_missing_body_gets_422(client: httpx.Client) -> None:
    assert_problem(client.post("/"), 422, "--form file=@photo.jpg")


@pytest.mark.parametrize("content_type", ["application/pdf", "text/html", "video/mp4"])
def test_unsupported_content_type_gets_415(client: httpx.Client, content_type: str) -> None:
    response = client.post("/", content=b"{}", headers={"content-type": content_type})
    assert_problem(response, 415, f"content type {content_type} cannot be read")


def test_file_that_is_not_an_image_gets_415(client: httpx.Client) -> None:
    response = client.post("/", files={"file": ("cat.jpg", b"a cat, really")})
    assert_problem(response, 415, "Convert it to JPEG or PNG")


def test_truncated_image_gets_422(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", files={"file": sample[: len(sample) // 2]})
    assert_problem(response, 422, "cannot be decoded")


@pytest.mark.parametrize("as_form", [True, False])
def test_empty_image_among_several_leaves_their_results(
    client: httpx.Client, sample: bytes, as_form: bool
) -> None:
    images = [b"", sample]
    if as_form:
        files = [("file", (f"{number}.jpg", image)) for number, image in enumerate(images)]
        response = client.post("/", files=files)
    else:
        response = client.post("/", json={"image": [b64encode(each).decode() for each in images]})
    assert_problem(response, 422, "Image 1 of 2: The image is empty")
    empty, good = response.json()["results"]
    assert empty["type"] == "/problems#unreadable-image"
    assert good["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_problem_of_one_image_carries_all_results(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", files=[("file", sample), ("file", b"no image")])
    assert_problem(response, 415, "Image 2 of 2: This is not an image")
    good, bad = response.json()["results"]
    assert good["predictions"][0]["index"] == SAMPLE_TOP5[0]
    assert bad["status"] == 415


def test_too_many_pixels_get_413(client: httpx.Client) -> None:
    response = client.post("/", files={"file": encode(Image.new("1", (16000, 16000)), "PNG")})
    assert_problem(response, 413, "at most 250 are accepted")


def test_too_many_bytes_get_413(client: httpx.Client, sample: bytes) -> None:
    body = sample + bytes(97 * MIB)
    assert_problem(client.post("/", files={"file": body}), 413, "more than 96 MiB")


def test_too_many_bytes_in_chunks_get_413(client: httpx.Client) -> None:
    chunks = (bytes(MIB) for _ in range(97))
    response = client.post("/", content=chunks, headers={"content-type": "image/png"})
    assert_problem(response, 413, "more than 96 MiB")


def test_image_of_exactly_max_bytes_is_accepted(client: httpx.Client, sample: bytes) -> None:
    body = sample + bytes(96 * MIB - len(sample))
    assert client.post("/", files={"file": body}).status_code == 200


def test_too_many_images_get_413(client: httpx.Client) -> None:
    response = client.post("/", files=[("file", b"x")] * 33)
    assert_problem(response, 413, "more than 32 images")


def test_endpoint_takes_a_starlette_request() -> None:
    """The endpoint does not depend on FastAPI."""
    from classifier.api.classify import ClassifyEndpoint

    assert ClassifyEndpoint.handle.__annotations__["request"] is Request
