"""The HTTP contract, over a real uvicorn."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from classifier.api import schemas
from tests.support.held import serving_held
from tests.support.pictures import SAMPLE_LABEL, SAMPLE_TOP5, SAMPLE_WNID, encode


def assert_problem(answer: httpx.Response, status: int, detail: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = schemas.Problem.model_validate(answer.json())
    assert problem.status == status
    assert detail in problem.detail
    assert "Traceback" not in answer.text


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


def test_other_fields_of_the_form_do_not_matter(client: httpx.Client, sample: bytes) -> None:
    answer = client.post("/", data={"note": "a cat"}, files={"file": sample})
    assert answer.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def test_no_body(client: httpx.Client) -> None:
    assert_problem(client.post("/"), 422, "--form file=@photo.jpg")


def test_no_such_field(client: httpx.Client, sample: bytes) -> None:
    answer = client.post("/", files={"image": sample})
    assert_problem(answer, 422, "no field 'file' (its fields: image)")


def test_a_field_that_holds_text(client: httpx.Client) -> None:
    """curl --form file=photo.jpg, without the @."""
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nphoto.jpg\r\n--b--\r\n'
    answer = client.post("/", content=body, headers=multipart("b"))
    assert_problem(answer, 422, "write an @ before the path")


def test_a_file_without_a_name_is_a_file(client: httpx.Client, sample: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    answer = client.post("/", content=head + sample + b"\r\n--b--\r\n", headers=multipart("b"))
    assert answer.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


@pytest.mark.parametrize("content", [b"", b"--b--\r\n"])
def test_an_empty_form(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/", content=content, headers=multipart("b"))
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code, "")


def test_no_file_chosen(client: httpx.Client) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    assert_problem(
        client.post("/", content=body, headers=multipart("b")), 422, "no file was chosen"
    )


def multipart(boundary: str) -> dict[str, str]:
    return {"content-type": f"multipart/form-data; boundary={boundary}"}


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
def test_malformed_multipart(client: httpx.Client, content_type: str, content: bytes) -> None:
    answer = client.post("/", content=content, headers={"content-type": content_type})
    assert_problem(answer, 400, "The multipart body cannot be read")


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


def test_too_many_parts(client: httpx.Client, sample: bytes) -> None:
    fields = [(f"field{number}", (None, b"x")) for number in range(100)]
    assert_problem(client.post("/", files=[*fields, ("file", sample)]), 400, "parts")


def test_unknown_paths_and_methods(client: httpx.Client) -> None:
    assert_problem(client.get("/nothing"), 404, "nothing at /nothing")
    refused = client.put("/")
    assert_problem(refused, 405, "PUT is not possible at /")
    assert "POST" in refused.headers["allow"]


def test_healthz(client: httpx.Client) -> None:
    health = schemas.Health.model_validate(client.get("/healthz").json())
    assert health.status == "ok"
    assert client.head("/healthz").status_code == 200


def test_the_model_card(client: httpx.Client) -> None:
    card = client.get("/model").json()
    assert card["task"] == "image-classification"
    assert card["license"] == "Apache-2.0"


def test_healthz_answers_while_images_are_classified(tmp_path: Path, sample: bytes) -> None:
    """Given one thread that is held by the first of three images, healthz does not wait for it."""
    with (
        ThreadPoolExecutor(1) as threads,
        serving_held(tmp_path / "log", THREADS="1") as server,
    ):
        post = threads.submit(server.client.post, "/", files=[("file", sample)] * 3)
        server.gate.next()
        assert server.client.get("/healthz").status_code == 200
        assert not post.done()
        server.gate.open()
        assert post.result().status_code == 200


def test_openapi_describes_the_contract(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    classify = document["paths"]["/"]["post"]
    assert set(classify["requestBody"]["content"]) == {"multipart/form-data", "image/*"}
    assert {"200", "400", "408", "413", "415", "422", "503"} == set(classify["responses"])
    text = str(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"]
    example = document["components"]["schemas"]["Result"]["examples"][0]
    assert schemas.Result.model_validate(example).predictions


def test_docs_list_every_operation_and_need_no_other_site(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page.text
    assert "Egyptian cat" in page.text
    assert "<script" not in page.text
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page.text)) <= {
        "data:,", "page/page.css", "openapi.json", "./", "docs", "model", "problems"
    }  # fmt: skip


def test_the_page_has_a_form(client: httpx.Client) -> None:
    page = client.get("/", headers={"accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<form" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for asset in re.findall(r'(?:href|src)="(page/[^"]+)"', page.text):
        assert client.get(f"/{asset}").status_code == 200
    assert client.get("/page/../main.py").status_code == 404
    assert client.head("/").status_code == 200


def test_a_plain_form_gets_a_page(client: httpx.Client, sample: bytes) -> None:
    page = client.post("/", files={"file": sample}, headers={"accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.search(rf"{SAMPLE_LABEL}.*?\d\d\.\d%", page.text)


def test_a_plain_form_gets_its_errors_as_a_page(client: httpx.Client) -> None:
    page = client.post("/", files={"file": b"<b>no</b>"}, headers={"accept": "text/html"})
    assert page.status_code == 415
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Convert it to JPEG or PNG" in page.text
    assert "<form" in page.text


def test_what_comes_from_outside_is_escaped(client: httpx.Client) -> None:
    field = "<script>alert(1)</script>"
    page = client.post("/", files={field: b"x"}, headers={"accept": "text/html"})
    assert page.status_code == 422
    assert field not in page.text
    assert "&lt;script&gt;" in page.text
