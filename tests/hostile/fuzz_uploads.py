"""Fuzz `read_upload`: any headers and body give images or a key, or raise `UploadError`.

    make fuzz

`classifier` and `python_multipart` are instrumented for coverage.
"""

import asyncio
import base64
import gzip
import logging
import sys
import time

import atheris
from starlette.datastructures import Headers
from starlette.types import Message

sys.path.insert(0, "function")
with atheris.instrument_imports(include=["classifier", "python_multipart"]):
    from classifier.api.bodies import base64_text, coding, json_body, read_upload  # noqa: F401
    from classifier.api.bodies.limits import Limits, declared_size
from classifier.errors import UploadError
from classifier.images import UNLIMITED
from classifier.server.body import BodyStream
from classifier.server.buffers import BodyBuffers

LIMITS = Limits(bytes=4096, files=4)
SECONDS = 1.0
STATUSES = (400, 411, 413, 415, 422)
BOUNDARY = "xYz"
TYPES = (
    f"multipart/form-data; boundary={BOUNDARY}",
    f'multipart/form-data; boundary="{BOUNDARY}"',
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "image/png",
    "",
    "text/plain",
    "application/json",
    "application/json",
    "application/json",
)
CODINGS = ("gzip", "deflate", "br", "identity, gzip")
JSON_PIECES = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"',
        b'\\"',
        b"\\n",
        rb"\u002B",
        rb"\/",
        b"data:;base64,",
    ),
    *(b'"image":', b'"image":[', b'"inputs":', b'"key":', b'"parameters":{', b'"top_k":3'),
)


def test_one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    headers = _headers(provider)
    body = _body(provider)
    start = time.process_time()
    try:
        head = Headers(headers)
        upload = _run(read_upload(head, _stream(body), LIMITS, declared_size(head, LIMITS)))
    except UploadError as error:
        if error.status not in STATUSES or not str(error):
            raise AssertionError(f"{error.status}: {error}") from error
    else:
        images = upload.images
        assert bool(images) != isinstance(upload.key, str)
        assert all(isinstance(image, bytes) and image for image in images)
        assert sum(map(len, images)) <= LIMITS.bytes
        assert len(images) <= LIMITS.files
    took = time.process_time() - start
    assert took < SECONDS, f"{took:.1f} s"


def _headers(provider: atheris.FuzzedDataProvider) -> dict[str, str]:
    which = provider.ConsumeIntInRange(0, len(TYPES) + 2)
    headers = {}
    if which < len(TYPES):
        headers["content-type"] = TYPES[which]
    elif which == len(TYPES):
        # Header values reach the application as Latin-1.
        headers["content-type"] = provider.ConsumeBytes(40).decode("latin-1")
    if provider.ConsumeIntInRange(0, 9) == 0:
        headers["content-length"] = provider.ConsumeBytes(8).decode("latin-1")
    if provider.ConsumeIntInRange(0, 5) == 0:
        headers["content-encoding"] = provider.PickValueInList(list(CODINGS))
    return headers


def _body(provider: atheris.FuzzedDataProvider) -> list[bytes]:
    """A form of random parts, random JSON, or random bytes, in chunks."""
    width = provider.ConsumeIntInRange(1, 300)
    kind = provider.ConsumeIntInRange(0, 3)
    content = b""
    if kind == 0:
        for _ in range(provider.ConsumeIntInRange(0, 6)):
            name = provider.PickValueInList([b"file", b"other", b"", b"f\xff"])
            more = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 20))
            content += b"--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n" % (
                BOUNDARY.encode(), name, more,
            )  # fmt: skip
            content += provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200)) + b"\r\n"
        content += b"--%s--\r\n" % BOUNDARY.encode() if provider.ConsumeBool() else b""
    elif kind == 1:
        for _ in range(provider.ConsumeIntInRange(0, 20)):
            content += provider.PickValueInList(list(JSON_PIECES))
            content += base64.b64encode(provider.ConsumeBytes(provider.ConsumeIntInRange(0, 20)))
    content += provider.ConsumeBytes(provider.remaining_bytes())
    if kind == 2:
        content = gzip.compress(content)
    return [content[start : start + width] for start in range(0, len(content), width)]


def _stream(chunks: list[bytes]) -> BodyStream:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"})

    async def receive() -> Message:
        return messages.pop(0)

    return BodyStream(receive, UNLIMITED, BodyBuffers(0))


_loop = asyncio.new_event_loop()
_run = _loop.run_until_complete

if __name__ == "__main__":
    logging.disable()
    options = [option for option in sys.argv if option.startswith("-max_len")] or ["-max_len=2048"]
    atheris.Setup([*sys.argv, "-len_control=0", *options], test_one_input)
    atheris.Fuzz()
