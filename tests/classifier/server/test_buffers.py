"""Memory of request bodies that is used again: no request sees the bytes of another."""

from io import BytesIO

import httpx
from PIL import Image

from classifier.server.buffers import LARGE_BYTES, BodyBuffers

LARGE = 2 * LARGE_BYTES


def receive(buffers: BodyBuffers, body: bytes) -> tuple[BytesIO, bytes]:
    """The buffer and the image of a request with this body."""
    buffer = buffers.take(len(body))
    buffer.write(body)
    buffer.truncate()
    return buffer, buffer.getvalue()


def test_buffer_of_a_finished_request_is_used_again() -> None:
    buffers = BodyBuffers(LARGE)
    first, _ = receive(buffers, bytes(LARGE))
    buffers.give_back(first)
    assert buffers.take(LARGE) is first
    assert buffers.take(LARGE) is not first


def test_shorter_body_ends_where_it_ends() -> None:
    buffers = BodyBuffers(LARGE)
    buffers.give_back(receive(buffers, b"a" * LARGE)[0])
    _, image = receive(buffers, b"b" * LARGE_BYTES)
    assert image == b"b" * LARGE_BYTES


def test_longer_body_fits() -> None:
    buffers = BodyBuffers(LARGE)
    buffers.give_back(receive(buffers, b"a" * LARGE_BYTES)[0])
    _, image = receive(buffers, b"b" * LARGE)
    assert image == b"b" * LARGE


def test_image_that_is_still_used_stays_as_it_is() -> None:
    buffers = BodyBuffers(LARGE)
    first, image = receive(buffers, b"a" * LARGE)
    buffers.give_back(first)
    receive(buffers, b"b" * LARGE)
    assert image == b"a" * LARGE


def test_buffers_are_kept_up_to_the_limit_the_last_used_ones() -> None:
    buffers = BodyBuffers(2 * LARGE)
    used = [receive(buffers, bytes(LARGE))[0] for _ in range(3)]
    for buffer in used:
        buffers.give_back(buffer)
    again = [buffers.take(LARGE) for _ in range(3)]
    assert again[:2] == [used[2], used[1]]
    assert again[2] not in used


def test_small_and_very_large_buffers_are_not_kept() -> None:
    buffers = BodyBuffers(LARGE)
    small, _ = receive(buffers, bytes(LARGE_BYTES - 1))
    large, _ = receive(buffers, bytes(LARGE + 1))
    buffers.give_back(small)
    buffers.give_back(large)
    assert buffers.take(LARGE) not in (small, large)


def test_large_images_get_their_own_responses(client: httpx.Client, sample: bytes) -> None:
    photo = BytesIO()
    with Image.open(BytesIO(sample)) as image:
        image.convert("RGB").resize((900, 900)).save(photo, "BMP")
    other = BytesIO()
    Image.new("RGB", (1100, 1100), "white").save(other, "BMP")
    answers = [
        client.post("/", content=content, headers={"content-type": "image/bmp"}).json()
        for content in (photo.getvalue(), other.getvalue(), photo.getvalue())
    ]
    assert answers[2]["predictions"] == answers[0]["predictions"]
    assert answers[1]["predictions"] != answers[0]["predictions"]
