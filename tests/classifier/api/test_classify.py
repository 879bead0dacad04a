"""POST / over a real uvicorn: one image, several images, top_k, and the refusals."""

import re

import httpx
import pytest
from PIL import Image
from starlette.requests import Request

from classifier.api import schemas
from classifier.api.classify import parse_top_k
from classifier.errors import InvalidParameter
from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_LABEL, SAMPLE_TOP5, SAMPLE_WNID, encode


def test_the_curl_line(client: httpx.Client, sample: bytes) -> None:
    answer = client.post("/", files={"file": ("sample.jpg", sample)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    result = schemas.Result.model_validate(answer.json())
    assert [each.index for each in result.predictions] == SAMPLE_TOP5
    first = result.predictions[0]
    assert (first.label, first.wnid) == (SAMPLE_LABEL, SAMPLE_WNID)
    probabilities = [each.probability for each in result.predictions]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0.3 < probabilities[0] < 0.6
    assert result.model == client.get("/model").json()["name"]


def test_durations_are_told(client: httpx.Client, sample: bytes) -> None:
    timing = client.post("/", files={"file": sample}).headers["server-timing"]
    assert re.fullmatch(r"decode;dur=\d+\.\d\d, infer;dur=\d+\.\d\d", timing)


def test_a_raw_body(client: httpx.Client, sample: bytes) -> None:
    answer = client.post("/", content=sample, headers={"content-type": "image/jpeg"})
    assert answer.json() == client.post("/", files={"file": sample}).json()


def test_a_chunked_body(client: httpx.Client, sample: bytes) -> None:
    chunks = (sample[start : start + 1000] for start in range(0, len(sample), 1000))
    answer = client.post("/", content=chunks, headers={"content-type": "image/jpeg"})
    assert answer.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_several_images_are_answered_in_order(client: httpx.Client, sample: bytes) -> None:
    grey = encode(Image.new("L", (300, 300), 128), "PNG")
    files = [("file", sample), ("file", grey), ("file", sample)]
    results = client.post("/", files=files).json()
    alone = [client.post("/", files={"file": each}).json() for each in (sample, grey)]
    assert results == [alone[0], alone[1], alone[0]]


@pytest.mark.parametrize("top_k", [1, 7, 100])
def test_top_k(client: httpx.Client, sample: bytes, top_k: int) -> None:
    answer = client.post("/", params={"top_k": top_k}, files={"file": sample})
    assert len(answer.json()["predictions"]) == top_k


@pytest.mark.parametrize("top_k", ["0", "101", "many", "-1"])
def test_a_wrong_top_k(client: httpx.Client, sample: bytes, top_k: str) -> None:
    answer = client.post("/", params={"top_k": top_k}, files={"file": sample})
    assert_problem(answer, 422, "top_k")


@pytest.mark.parametrize("value", ["0", "101", "-1", "+5", "1.5", "", "five", "٣", "9" * 5000])
def test_invalid_top_k(value: str) -> None:
    with pytest.raises(InvalidParameter, match="top_k must be a whole number from 1 to 100"):
        parse_top_k(value)


def test_valid_top_k() -> None:
    assert [parse_top_k(value) for value in (None, "1", "100")] == [5, 1, 100]


def test_no_body(client: httpx.Client) -> None:
    assert_problem(client.post("/"), 422, "--form file=@photo.jpg")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "video/mp4"])
def test_a_body_of_another_type(client: httpx.Client, content_type: str) -> None:
    answer = client.post("/", content=b"{}", headers={"content-type": content_type})
    assert_problem(answer, 415, f"content type {content_type} cannot be read")


def test_not_an_image(client: httpx.Client) -> None:
    answer = client.post("/", files={"file": ("cat.jpg", b"a cat, really")})
    assert_problem(answer, 415, "Convert it to JPEG or PNG")


def test_half_an_image(client: httpx.Client, sample: bytes) -> None:
    answer = client.post("/", files={"file": sample[: len(sample) // 2]})
    assert_problem(answer, 422, "does not decode")


def test_of_several_images_one_is_bad(client: httpx.Client, sample: bytes) -> None:
    """Nothing is lost: the problem carries what the others are."""
    answer = client.post("/", files=[("file", sample), ("file", b"no image")])
    assert_problem(answer, 415, "Image 2 of 2: This is not an image")
    good, bad = answer.json()["results"]
    assert good["predictions"][0]["index"] == SAMPLE_TOP5[0]
    assert bad["status"] == 415


def test_too_many_pixels(client: httpx.Client) -> None:
    answer = client.post("/", files={"file": encode(Image.new("1", (8001, 8000)), "PNG")})
    assert_problem(answer, 413, "at most 64 are accepted")


def test_too_many_bytes(client: httpx.Client, sample: bytes) -> None:
    body = sample + bytes(21 * 1024 * 1024)
    assert_problem(client.post("/", files={"file": body}), 413, "more than 20 MiB")


def test_too_many_bytes_in_chunks(client: httpx.Client) -> None:
    chunks = (bytes(1024 * 1024) for _ in range(21))
    answer = client.post("/", content=chunks, headers={"content-type": "image/png"})
    assert_problem(answer, 413, "more than 20 MiB")


def test_an_image_of_just_the_limit(client: httpx.Client, sample: bytes) -> None:
    body = sample + bytes(20 * 1024 * 1024 - len(sample))
    assert client.post("/", files={"file": body}).status_code == 200


def test_too_many_images(client: httpx.Client) -> None:
    answer = client.post("/", files=[("file", b"x")] * 33)
    assert_problem(answer, 413, "more than 32 images")


def test_the_endpoint_needs_no_framework() -> None:
    """Its parameters are a Starlette request and a number."""
    from classifier.api.classify import ClassifyEndpoint

    assert ClassifyEndpoint.__call__.__annotations__["request"] is Request
