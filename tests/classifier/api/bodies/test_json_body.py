"""JSON with images in base64, and Hugging Face's form of it."""

import base64
import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from classifier.api.bodies.limits import FRAMING_BYTES, Limits, declared_size
from classifier.errors import (
    InvalidJson,
    MalformedJson,
    NoImage,
    TooManyImages,
    TooManyUploads,
    UploadError,
    UploadTooLarge,
)
from classifier.images import MemoryBudget
from tests.classifier.api.bodies.reading import LIMITS, read, split
from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_TOP5

JSON = "application/json"

PHOTO = bytes(range(256)) * 5
TEXT = base64.b64encode(PHOTO).decode()


def json_of(text: str) -> str:
    return f'{{"image": "{text}"}}'


def read_json(body: str, **options: Any) -> list[bytes]:
    return read([body.encode()], JSON, **options).images


def test_image_in_base64_gets_the_result_of_the_image(client: httpx.Client, sample: bytes) -> None:
    text = base64.b64encode(sample).decode()
    response = client.post("/", json={"image": text})
    assert response.json() == client.post("/", files={"file": sample}).json()


def test_images_get_results_in_order(client: httpx.Client, sample: bytes) -> None:
    text = base64.b64encode(sample).decode()
    results = client.post("/", json={"image": [text, text], "top_k": 1}).json()
    assert [len(result["predictions"]) for result in results] == [1, 1]


def test_inputs_get_labels_and_scores(client: httpx.Client, sample: bytes) -> None:
    text = base64.b64encode(sample).decode()
    labels = client.post("/", json={"inputs": text, "parameters": {"top_k": 3}}).json()
    predictions = client.post("/", files={"file": sample}).json()["predictions"]
    assert labels == [
        {"label": prediction["label"], "score": prediction["probability"]}
        for prediction in predictions[:3]
    ]


def test_several_inputs_get_a_list_of_labels_for_each(client: httpx.Client, sample: bytes) -> None:
    text = base64.b64encode(sample).decode()
    lists = client.post("/", json={"inputs": [text, text]}).json()
    assert [len(labels) for labels in lists] == [5, 5]
    assert lists[0][0].keys() == {"label", "score"}


@pytest.mark.parametrize("top_k", [0, 101, -1, True, 2.5, "3", [], {"a": 1}, 10**40])
def test_invalid_top_k_gets_422(client: httpx.Client, sample: bytes, top_k: Any) -> None:
    text = base64.b64encode(sample).decode()
    response = client.post("/", json={"inputs": text, "parameters": {"top_k": top_k}})
    assert_problem(response, 422, "top_k must be a whole number from 1 to 100")


def test_top_k_of_the_body_counts_before_that_of_the_query(
    client: httpx.Client, sample: bytes
) -> None:
    text = base64.b64encode(sample).decode()
    body = {"inputs": text, "parameters": {"top_k": 2}}
    assert len(client.post("/", params={"top_k": 7}, json=body).json()) == 2
    float_body = {"inputs": text, "parameters": {"top_k": 2.0}}
    assert len(client.post("/", json=float_body).json()) == 2
    null = {"inputs": text, "parameters": {"top_k": None}}
    assert len(client.post("/", params={"top_k": 7}, json=null).json()) == 7


def test_photo_in_json_with_charset_is_classified(client: httpx.Client, sample: bytes) -> None:
    body = json.dumps({"image": base64.b64encode(sample).decode()})
    headers = {"content-type": "application/json; charset=utf-8"}
    response = client.post("/", content=body, headers=headers)
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


@pytest.mark.parametrize(
    "body",
    [
        f'{{"image": "{TEXT}"}}',
        f'\n {{ "note" : [1, {{"image": "x"}}] , "image" :\t"{TEXT}" }} \n',
        f'{{"im\\u0061ge": "{TEXT}"}}',
        f'{{"image": "data:image/jpeg;base64,{TEXT}"}}',
        f'{{"image": "DATA:;base64,{TEXT}"}}',
        json_of(TEXT.replace("/", r"\/")),
        json_of(TEXT.replace("+", r"\u002B").replace("/", r"\u002f")),
        json_of(TEXT.replace("+", "-").replace("/", "_")),
        json_of(TEXT.rstrip("=")),
        json_of(re.sub("(.{76})", r"\1\\r\\n", TEXT)),
        json_of(re.sub("(.{76})", "\\1\n", f" {TEXT} ")),
        f'{{"a\\"b": "\\\\", "options": {{"x": "]}}"}}, "image": "{TEXT}"}}',
        f'\ufeff{{"image": "{TEXT}"}}',
    ],
    ids=range(13),
)
@pytest.mark.parametrize("width", [1, 2, 3, 5, 100, 10_000])
def test_image_is_found_however_it_is_written_and_split(body: str, width: int) -> None:
    assert PHOTO.endswith(b"\xff")
    assert read(split(body.encode(), width), JSON).images == [PHOTO]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{}", "it has neither"),
        ("[]", "not an object"),
        ('"text"', "not an object"),
        ('{"picture": "AAAA"}', "it has neither"),
        ('{"image": "AAAA", "inputs": "AAAA"}', "it has image and inputs"),
        ('{"image": "AAAA", "image": "AAAA"}', "two members of the same name"),
        ('{"image": 5}', "neither a string nor a list"),
        ('{"image": null}', "neither a string nor a list"),
        ('{"image": []}', "neither a string nor a list"),
        ('{"image": ["AAAA", 5]}', "neither a string nor a list"),
        ('{"image": [["AAAA"]]}', "neither a string nor a list"),
        ('{"inputs": {"image": "AAAA"}}', "neither a string nor a list"),
        ('{"image": "photo.jpg"}', "'image' is not base64"),
        ('{"image": "AAAAA"}', "'image' is not base64"),
        ('{"image": "AA==AAAA"}', "'image' is not base64"),
        ('{"image": "\\"AAAA"}', "'image' is not base64"),
        ('{"image": "ä"}', "'image' is not base64"),
        ('{"image": "\\u00e4\\ud800"}', "'image' is not base64"),
        ('{"inputs": "https://example.org/cat.jpg"}', "does not download images"),
        ('{"inputs": "HTTP://example.org/cat.jpg"}', "does not download images"),
        ('{"image": "data:image/svg+xml,<svg/>"}', "a data URI without ;base64"),
        ('{"image": "data:%s,"}' % ("x" * 300), "a data URI without a comma"),
        ('{"inputs": "AAAA", "parameters": 5}', "'parameters' is not an object"),
        ('{"inputs": "AAAA", "parameters": []}', "'parameters' is not an object"),
        ('{"x": %s' % ("[" * 33), "nested more than 32 levels deep"),
        ('{"picture": "%s' % ("A" * 17_000), "more than 16 KiB beside its images"),
        ('{"x": %s' % ("1," * 9_000), "more than 16 KiB beside its images"),
    ],
)
def test_json_of_another_form_gets_422(body: str, reason: str) -> None:
    with pytest.raises(InvalidJson, match=re.escape(reason)) as refusal:
        read_json(body)
    assert refusal.value.status == 422
    assert '{"image": "<base64>"}' in str(refusal.value)


@pytest.mark.parametrize(
    "body",
    [
        '{"image": "AAAA',
        '{"image": "AAAA"',
        '{"image": "AAAA"} {"image": "AAAA"}',
        '{"image" "AAAA"}',
        '{"image": "AAAA" "AAAA"}',
        "{'image': 'AAAA'}",
        '{"image": "AAAA",}',
        "]]]]",
        "image=AAAA",
        '{"image": "AAAA", "n": %s}' % ("1" * 5000),
    ],
)
def test_malformed_json_gets_400(body: str) -> None:
    with pytest.raises(MalformedJson) as refusal:
        read_json(body)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "body", ['{"\u00e4": 1}'.encode("latin-1"), '{"image": ""}'.encode("utf-16")]
)
def test_json_in_another_encoding_gets_400(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="not UTF-8"):
        read([body], JSON)


def test_empty_image_gets_422() -> None:
    with pytest.raises(NoImage, match="empty image"):
        read_json('{"image": ""}')


def test_decoded_bytes_are_limited() -> None:
    text = base64.b64encode(bytes(LIMITS.bytes)).decode()
    assert read_json(f'{{"image": "{text}"}}') == [bytes(LIMITS.bytes)]
    more = base64.b64encode(bytes(LIMITS.bytes + 1)).decode()
    with pytest.raises(UploadTooLarge):
        read_json(f'{{"image": "{more}"}}')
    with pytest.raises(UploadTooLarge):
        read_json(f'{{"image": ["{text}", "AAAA"]}}')


def test_string_that_decodes_to_nothing_is_limited() -> None:
    with pytest.raises(UploadTooLarge):
        read([b'{"image": "', *[b" " * LIMITS.bytes] * 3], JSON)


def test_number_of_images_is_limited() -> None:
    assert len(read_json('{"image": ["AAAA", "AAAA", "AAAA"]}')) == 3
    with pytest.raises(TooManyImages):
        read_json('{"image": ["AAAA", "AAAA", "AAAA", "AAAA"]}')


def test_only_the_decoded_image_takes_memory_for_bodies() -> None:
    text = base64.b64encode(bytes(90_000)).decode()
    body = split(f'{{"image": "{text}"}}'.encode(), 4_000)
    read(body, JSON, memory=MemoryBudget(200_000, bodies=95_000))
    memory = MemoryBudget(200_000, bodies=89_000)
    with pytest.raises(TooManyUploads):
        read(body, JSON, memory=memory)
    assert memory.has_room(89_000)


def test_declared_json_may_be_as_long_as_its_base64() -> None:
    limits = Limits(bytes=2**20, files=1)
    text = base64.b64encode(bytes(2**20)).decode()
    body = f'{{"image": "{text}"}}'.encode()
    length = [("content-length", str(len(body)))]
    assert read([body], JSON, limits=limits, headers=length).images == [bytes(2**20)]
    with pytest.raises(UploadTooLarge):
        read([body], "image/png", limits=limits, headers=length)
    with pytest.raises(UploadTooLarge):
        read([], JSON, limits=limits, headers=[("content-length", str(2**21))])


def test_only_the_images_of_declared_json_wait_for_room() -> None:
    longer = Headers({"content-type": "Application/JSON", "content-length": "200000"})
    assert declared_size(longer, LIMITS) == LIMITS.bytes + FRAMING_BYTES


def test_data_behind_padding_gets_422_however_it_is_split() -> None:
    for width in range(1, 30):
        with pytest.raises(InvalidJson, match="excess data after padding"):
            read(split(b'{"image": "AAAAAAAAAAAAAA==AAAA"}', width), JSON)


def test_refused_key_without_bucket_gets_422(client: httpx.Client) -> None:
    assert_problem(client.post("/", json={"key": "uploads/x"}), 422, "BUCKET is not set")


_ALPHABET = 'AZaz09+/-_= \\\n\r\t"/uä{}[],:'

_STRINGS = st.one_of(
    st.binary(max_size=40).map(lambda content: base64.b64encode(content).decode()),
    st.text(_ALPHABET, max_size=12),
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _STRINGS,
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(["image", "x", "inputs"]), values, max_size=2)
    ),
    max_leaves=5,
)

_DOCUMENTS = st.dictionaries(
    st.sampled_from(["image", "inputs", "parameters", "x", 'a"b']), _VALUES, max_size=3
)

_TEXTS = st.one_of(
    st.builds(
        lambda document, ascii_only: json.dumps(document, ensure_ascii=ascii_only),
        _DOCUMENTS | _VALUES,
        st.booleans(),
    ),
    st.text('{}[]",:\\ imagenuts/A=', max_size=40),
)


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_TEXTS, st.integers(1, 50))
@example('{"image": "AA', 3)
@example('{"image": ["", ""]}', 50)
def test_result_is_that_of_json_and_base64(text: str, width: int) -> None:
    """Given any JSON, in any chunks: `json` and `base64` find the same images, or none."""
    try:
        images: list[bytes] | None = read(split(text.encode(), width), JSON).images
    except UploadError:
        images = None
    assert images == _expected(text)


def _expected(text: str) -> list[bytes] | None:
    try:
        document = json.loads(text, strict=False)
    except ValueError:
        return None
    names = {"image", "inputs"}
    if not isinstance(document, dict) or len(names & document.keys()) != 1:
        return None
    parameters = document.get("parameters")
    if not isinstance(parameters, dict | None):
        return None
    (name,) = names & document.keys()
    value = document[name]
    strings = value if isinstance(value, list) else [value]
    try:
        images = [_decoded(string) for string in strings]
    except (ValueError, TypeError, AttributeError):
        return None
    if images in ([], [b""]):  # an empty image among several gets its own problem
        return None
    return images if len(images) <= LIMITS.files else None


def _decoded(string: str) -> bytes:
    text = re.sub("[ \t\r\n]", "", string).replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
