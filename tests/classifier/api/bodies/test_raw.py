"""Bodies that are an image, whatever their content type says."""

import base64

import httpx
import pytest

from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_TOP5


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-image",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "Application/Octet-Stream",
    ],
)
def test_image_is_recognized_by_its_bytes(
    client: httpx.Client, sample: bytes, content_type: str
) -> None:
    response = client.post("/", content=sample, headers={"content-type": content_type})
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_image_without_content_type_is_classified(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", content=sample)
    assert "content-type" not in response.request.headers
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_chunked_image_without_content_type_is_classified(
    client: httpx.Client, sample: bytes
) -> None:
    response = client.post("/", content=iter([sample]))
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"photo.jpg", "--data-binary @photo.jpg"),
        (b"file=photo.jpg&x=1", "--form file=@photo.jpg"),
        (b'{"image": "abc"}', "Content-Type: application/json"),
    ],
)
def test_text_gets_422_with_how_to_send_a_file(
    client: httpx.Client, content_type: str, text: bytes, detail: str
) -> None:
    response = client.post("/", content=text, headers={"content-type": content_type})
    assert_problem(response, 422, "The body is text")
    assert detail in response.json()["detail"]


@pytest.mark.parametrize("content_type", ["text/plain", "image/jpeg", "application/octet-stream"])
@pytest.mark.parametrize(
    ("before", "coding"), [(b"", "base64"), (b"data:image/jpeg;base64,", "a data URI")]
)
def test_base64_gets_415_that_says_so(
    client: httpx.Client, sample: bytes, content_type: str, before: bytes, coding: str
) -> None:
    text = before + base64.encodebytes(sample)
    response = client.post("/", content=text, headers={"content-type": content_type})
    assert_problem(response, 415, f"It is {coding}: decode it")


@pytest.mark.parametrize("content_type", ["application/pdf", "text/html", "multipart/mixed"])
def test_other_types_get_415(client: httpx.Client, sample: bytes, content_type: str) -> None:
    response = client.post("/", content=sample, headers={"content-type": content_type})
    assert_problem(response, 415, f"content type {content_type} cannot be read")


@pytest.mark.parametrize("content_type", ["image/png", "text/plain", "application/json"])
def test_empty_body_gets_422(client: httpx.Client, content_type: str) -> None:
    response = client.post("/", content=b"", headers={"content-type": content_type})
    assert_problem(response, 422, "The body is empty")
