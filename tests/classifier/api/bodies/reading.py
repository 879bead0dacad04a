"""Bodies in chunks, read without a server."""

import asyncio
from collections.abc import Iterable, Iterator

from starlette.datastructures import Headers
from starlette.types import Message

from classifier.api.bodies import read_upload
from classifier.api.bodies.limits import Limits, declared_size
from classifier.api.bodies.upload import Upload
from classifier.images import UNLIMITED, MemoryBudget
from classifier.server.body import BodyStream
from classifier.server.buffers import BodyBuffers

LIMITS = Limits(bytes=100_000, files=3)


def read(
    chunks: Iterable[bytes],
    content_type: str,
    *,
    limits: Limits = LIMITS,
    memory: MemoryBudget = UNLIMITED,
    headers: Iterable[tuple[str, str]] = (),
) -> Upload:
    """What `read_upload` returns for a body of `chunks`. All memory is given back."""
    rest: Iterator[bytes] = iter(chunks)

    async def receive() -> Message:
        chunk = next(rest, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    raw = [("content-type", content_type), ("transfer-encoding", "chunked"), *headers]
    head = Headers(raw=[(name.encode(), value.encode()) for name, value in raw])
    body = BodyStream(receive, memory, BodyBuffers(0))
    try:
        return asyncio.run(read_upload(head, body, limits, declared_size(head, limits)))
    finally:
        body.release()


def split(content: bytes, width: int) -> list[bytes]:
    """`content` in chunks of `width` bytes."""
    return [content[start : start + width] for start in range(0, len(content), width)]
