"""Forms: the field `file`, and refused bodies."""

import httpx
import pytest

from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_TOP5


def multipart(boundary: str) -> dict[str, str]:
    return {"content-type": f"multipart/form-data; boundary={boundary}"}


def test_other_form_fields_are_ignored(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", data={"note": "a cat"}, files={"file": sample})
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_file_part_without_filename_is_classified(client: httpx.Client, sample: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    response = client.post("/", content=head + sample + b"\r\n--b--\r\n", headers=multipart("b"))
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_form_without_file_field_gets_422(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", files={"image": sample})
    assert_problem(response, 422, "no field 'file' (its fields: image)")


def test_text_in_the_file_field_gets_422(client: httpx.Client) -> None:
    """Given `curl --form file=photo.jpg`, without the @."""
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nphoto.jpg\r\n--b--\r\n'
    response = client.post("/", content=body, headers=multipart("b"))
    assert_problem(response, 422, "write an @ before the path")


@pytest.mark.parametrize("content", [b"", b"--b--\r\n"])
def test_empty_form_gets_400_or_422(client: httpx.Client, content: bytes) -> None:
    response = client.post("/", content=content, headers=multipart("b"))
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code, "")


def test_form_without_a_chosen_file_gets_422(client: httpx.Client) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    assert_problem(
        client.post("/", content=body, headers=multipart("b")), 422, "no file was chosen"
    )


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b"--b--\r\n"),
        ("multipart/form-data; boundary=", b"--b--\r\n"),
        (f"multipart/form-data; boundary={'b' * 1000}", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b"no boundary at all"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; f',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\ncut off',
        ),
    ],
)
def test_malformed_multipart_gets_400(
    client: httpx.Client, content_type: str, content: bytes
) -> None:
    response = client.post("/", content=content, headers={"content-type": content_type})
    assert_problem(response, 400, "The multipart body cannot be read")


def test_too_many_parts_get_400(client: httpx.Client, sample: bytes) -> None:
    fields = [(f"field{number}", (None, b"x")) for number in range(100)]
    assert_problem(client.post("/", files=[*fields, ("file", sample)]), 400, "parts")
