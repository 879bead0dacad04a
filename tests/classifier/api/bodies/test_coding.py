"""Bodies with a Content-Encoding."""

import asyncio
import gzip
import random
import zlib
from collections.abc import Callable

import httpx
import pytest

from classifier.api.bodies.limits import Limits
from classifier.errors import MalformedEncoding, NoImage, TooManyUploads, UploadTooLarge
from classifier.images import MemoryBudget
from tests.classifier.api.bodies.reading import LIMITS, read, split
from tests.classifier.api.problem import assert_problem
from tests.support.pictures import SAMPLE_TOP5

GZIP = [("content-encoding", "gzip")]

MIB = 2**20


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("gzip, identity", gzip.compress),
    ],
)
@pytest.mark.parametrize("kind", ["raw", "form", "json"])
def test_coded_body_is_classified(
    client: httpx.Client, sample: bytes, coding: str, encode: Callable[[bytes], bytes], kind: str
) -> None:
    plain = {
        "raw": lambda: client.build_request(
            "POST", "/", content=sample, headers={"content-type": "image/jpeg"}
        ),
        "form": lambda: client.build_request("POST", "/", files={"file": sample}),
        "json": lambda: client.build_request("POST", "/", json={"image": _base64(sample)}),
    }[kind]()
    content = encode(plain.read())
    headers = {"content-type": plain.headers["content-type"], "content-encoding": coding}
    response = client.post("/", content=content, headers=headers)
    assert response.json()["predictions"][0]["index"] == SAMPLE_TOP5[0]


def _base64(content: bytes) -> str:
    import base64

    return base64.b64encode(content).decode()


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "aws-chunked"])
def test_other_codings_get_415_with_those_that_are_decoded(
    client: httpx.Client, sample: bytes, coding: str
) -> None:
    headers = {"content-type": "image/jpeg", "content-encoding": coding}
    response = client.post("/", content=sample, headers=headers)
    assert_problem(response, 415, f"Content-Encoding {coding} is not supported")
    assert response.headers["accept-encoding"] == "gzip, deflate, identity"


def test_codings_in_two_header_lines_get_415(client: httpx.Client, sample: bytes) -> None:
    headers = [
        ("content-type", "image/jpeg"),
        ("content-encoding", "gzip"),
        ("content-encoding", "gzip"),
    ]
    response = client.post("/", content=gzip.compress(sample), headers=headers)
    assert_problem(response, 415, "Content-Encoding gzip, gzip is not supported")


@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (lambda encoded: encoded[:-20], "it ends early"),
        (lambda encoded: encoded[:5], "it ends early"),
        (lambda encoded: encoded + b"x", "bytes behind its end"),
        (lambda encoded: encoded + encoded, "bytes behind its end"),
        (lambda encoded: encoded[:-8] + bytes(8), "incorrect data check"),
        (lambda encoded: b"no gzip" + encoded, "incorrect header check"),
    ],
)
@pytest.mark.parametrize("width", [1000, 1_000_000])
def test_malformed_coding_gets_400(
    spoil: Callable[[bytes], bytes], detail: str, width: int, sample: bytes
) -> None:
    with pytest.raises(MalformedEncoding, match=detail) as refusal:
        read(split(spoil(gzip.compress(sample)), width), "image/jpeg", headers=GZIP)
    assert refusal.value.status == 400


def test_empty_coded_body_is_an_empty_body() -> None:
    with pytest.raises(NoImage, match="empty"):
        read([], "image/jpeg", headers=GZIP)
    with pytest.raises(NoImage, match="empty"):
        read([gzip.compress(b"")], "image/jpeg", headers=GZIP)


@pytest.mark.parametrize("width", [1, 7, 70_000, 1_000_000])
@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1, 99_999, 100_000])
def test_coded_body_decodes_however_it_is_split(width: int, size: int) -> None:
    content = bytes(size)
    upload = read(split(gzip.compress(content), width), "image/png", headers=GZIP)
    assert upload.images == [content]


def test_decoded_bytes_are_limited() -> None:
    """Given 64 kB that decode to 64 MiB, which are not all decoded."""
    bomb = gzip.compress(bytes(64 * MIB))
    memory = MemoryBudget(256 * MIB)
    with pytest.raises(UploadTooLarge):
        read([bomb], "image/png", headers=GZIP, memory=memory)
    assert memory.has_room(64 * MIB)


def test_decoded_bytes_count_against_the_memory_budget() -> None:
    limits = Limits(bytes=8 * MIB, files=1)
    memory = MemoryBudget(16 * MIB, bodies=2 * MIB)
    with pytest.raises(TooManyUploads):
        read(
            [gzip.compress(bytes(4 * MIB))], "image/png", headers=GZIP, limits=limits, memory=memory
        )
    assert memory.has_room(2 * MIB)


def test_only_the_decoded_bytes_take_memory_for_bodies() -> None:
    content = random.Random(1).randbytes(90_000)
    encoded = gzip.compress(content)
    memory = MemoryBudget(200_000, bodies=95_000)
    upload = read(split(encoded, 4_000), "image/png", headers=GZIP, memory=memory)
    assert upload.images == [content]


def test_encoded_bytes_that_decode_to_nothing_are_limited() -> None:
    """Given a gzip header with a file name that does not end."""
    head = b"\x1f\x8b\x08\x08" + bytes(6)
    with pytest.raises(UploadTooLarge):
        read([head, *[b"x" * LIMITS.bytes] * 4], "image/png", headers=GZIP)


def test_decoding_lets_other_tasks_run() -> None:
    """Given one chunk that decodes to 8 MiB."""
    from starlette.types import Message

    from classifier.api.bodies.coding import decode
    from classifier.images import UNLIMITED
    from classifier.server.body import BodyStream
    from classifier.server.buffers import BodyBuffers

    encoded = gzip.compress(bytes(8 * MIB))

    async def receive() -> Message:
        return {"type": "http.request", "body": encoded}

    async def main() -> int:
        body = BodyStream(receive, UNLIMITED, BodyBuffers(0))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        async for _ in decode(["gzip"], body, Limits(bytes=16 * MIB, files=1)):
            pass
        counting.cancel()
        return turns

    assert asyncio.run(main()) >= 8
