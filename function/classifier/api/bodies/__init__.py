"""A request body -> its images and parameters: a form, the bytes of an image, or JSON.

The body is parsed while it arrives, so that a body over the limit is refused early. Images are
gathered in `BytesIO`, whose `getvalue` does not copy; to join a list of chunks would hold an image
twice. Nothing is written to disk.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers

from classifier.api.bodies.form import read_form
from classifier.api.bodies.limits import JSON_TYPE, Limits
from classifier.api.bodies.raw import is_raw, read_raw
from classifier.api.bodies.upload import Upload
from classifier.errors import MalformedMultipart, UnsupportedBody, printable

if TYPE_CHECKING:
    from classifier.server.body import BodyStream


async def read_upload(
    headers: Headers, body: "BodyStream", limits: Limits, declared: int
) -> Upload:
    """The images of a request in the order of their fields, one or more, or a key. `declared` is
    the `declared_size` of its head.

    Raises `UploadError`.
    """
    content_type, options = parse_options_header(headers.get("content-type"))
    chunks: AsyncIterator[bytes] = body
    codings = headers.getlist("content-encoding")
    if codings:
        from classifier.api.bodies.coding import decode  # rare

        chunks = decode(codings, body, limits)
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedMultipart("the Content-Type header names no boundary")
        return Upload(await read_form(chunks, body, boundary, limits, declared))
    if content_type == JSON_TYPE.encode():
        from classifier.api.bodies.json_body import read_json  # rare

        return await read_json(chunks, body, limits, declared)
    if not is_raw(content_type):
        raise UnsupportedBody(printable(content_type))
    return Upload([await read_raw(chunks, body, limits, declared, content_type)])
