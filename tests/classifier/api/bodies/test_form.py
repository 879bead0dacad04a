"""Forms: the field `file`, and refused forms."""

import base64

import httpx
import pytest

from classifier.errors import MalformedMultipart
from tests.classifier.api.bodies.reading import LIMITS, read, split
from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_TOP5


def multipart(boundary: str) -> dict[str, str]:
    return {"content-type": f"multipart/form-data; boundary={boundary}"}


PART = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'

FORM = multipart("b")["content-type"]


def test_other_form_fields_are_ignored(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", data={"note": "a cat"}, files={"file": sample})
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_file_part_without_filename_is_classified(client: httpx.Client, sample: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    response = client.post("/", content=head + sample + b"\r\n--b--\r\n", headers=multipart("b"))
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


@pytest.mark.parametrize("name", ["image", "photo", "file[]", ""])
def test_only_file_is_classified_whatever_its_field(
    client: httpx.Client, sample: bytes, name: str
) -> None:
    response = client.post("/", data={"note": "a cat"}, files={name: sample})
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_file_with_an_extended_name_is_classified_whatever_its_field(
    client: httpx.Client, sample: bytes
) -> None:
    """RFC 5987, as some clients send names that are not ASCII."""
    head = b"--b\r\nContent-Disposition: form-data; name=photo; filename*=utf-8''%C3%BC.jpg\r\n\r\n"
    response = client.post("/", content=head + sample + b"\r\n--b--\r\n", headers=multipart("b"))
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_file_field_counts_before_other_fields(client: httpx.Client, sample: bytes) -> None:
    for order in (["file", "thumbnail"], ["thumbnail", "file"]):
        images = {"file": sample, "thumbnail": b"no image"}
        response = client.post("/", files=[(name, images[name]) for name in order])
        assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


@pytest.mark.parametrize("order", [["file", "other"], ["other", "file"]])
def test_file_in_another_field_does_not_count_against_the_limit(order: list[str]) -> None:
    content = bytes(60_000)
    assert 2 * len(content) > LIMITS.bytes
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%b"; filename="a"\r\n\r\n%b\r\n'
        % (name.encode(), content)
        for name in order
    ]
    assert read([*parts, b"--b--"], FORM).images == [content]


def test_several_files_in_other_fields_get_422(client: httpx.Client, sample: bytes) -> None:
    response = client.post("/", files={"before": sample, "after": sample})
    assert_problem(response, 422, "no field 'file' (its fields: after, before)")


def test_text_in_another_field_gets_422(client: httpx.Client) -> None:
    response = client.post("/", files={"image": (None, "photo.jpg")})
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


@pytest.mark.parametrize(
    "preamble",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"This is a multipart message in MIME format.\r\n",
        b"--\r\n--bb\r\n -b --b\r\n\r\n",
        b"LF alone\n",
        b"x" * 60_000 + b"\r\n",
    ],
)
@pytest.mark.parametrize("padding", [b"", b" \t"])
@pytest.mark.parametrize("width", [1, 2, 3, 50, 100_000])
def test_text_around_the_parts_is_ignored(preamble: bytes, padding: bytes, width: int) -> None:
    """RFC 2046, 5.1.1: a preamble, an epilogue, and blanks behind a boundary."""
    parts = b"--b" + padding + b"\r\n" + PART + b"\r\n\r\n--b\r\n--b--\r\nepilogue"
    body = preamble + parts.replace(b"\r\n\r\n--b\r\n", b"\r\nimage --b\r\n")
    assert read(split(body, width), FORM).images == [b"image --b"]


def test_long_preamble_gets_400() -> None:
    with pytest.raises(MalformedMultipart, match="does not begin with the boundary"):
        read([b"x\r\n" * 1000] * 30, FORM)


@pytest.mark.parametrize("body", [b"no boundary", b"--c\r\n", b"--bb\r\n" + PART])
def test_form_without_its_boundary_gets_400(body: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        read([body], FORM)


def test_form_with_lf_line_ends_gets_400_that_says_so() -> None:
    body = (b"--b\r\n" + PART + b"\r\nimage\r\n--b--\r\n").replace(b"\r\n", b"\n")
    with pytest.raises(MalformedMultipart, match="its lines end with LF alone"):
        read([body], FORM)


def test_quoted_boundary_and_lower_case_part_headers_are_read() -> None:
    part = PART.replace(b"Content-Disposition", b"content-disposition")
    body = b"--a b\r\n" + part + b"\r\nimage\r\n--a b--"
    assert read([body], 'Multipart/Form-Data; Boundary="a b"').images == [b"image"]


@pytest.mark.parametrize("width", [1, 7, 1000])
def test_part_in_base64_is_decoded(width: int) -> None:
    image = bytes(range(256))
    encoded = base64.encodebytes(image).replace(b"\n", b"\r\n")
    head = PART + b"Content-Transfer-Encoding: BASE64\r\n"
    body = b"--b\r\n" + head + b"\r\n" + encoded + b"\r\n--b--\r\n"
    assert read(split(body, width), FORM).images == [image]


@pytest.mark.parametrize(
    ("encoding", "content", "reason"),
    [
        (b"base64", b"no base64!", "a part is not base64, as it says"),
        (b"base64", b"AAAAA", "a part is not base64, as it says"),
        (b"quoted-printable", b"=FF", "the Content-Transfer-Encoding quoted-printable"),
    ],
)
def test_other_transfer_encodings_get_400(encoding: bytes, content: bytes, reason: str) -> None:
    head = PART + b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    body = b"--b\r\n" + head + b"\r\n" + content + b"\r\n--b--\r\n"
    with pytest.raises(MalformedMultipart, match=reason):
        read([body], FORM)


@pytest.mark.parametrize("encoding", [b"binary", b"8bit", b"7bit"])
def test_identity_transfer_encodings_are_read(encoding: bytes) -> None:
    head = PART + b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    assert read([b"--b\r\n" + head + b"\r\nimage\r\n--b--"], FORM).images == [b"image"]
