"""Request bodies: images as multipart/form-data."""

import mimetypes
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.common.cli import UsageError
from local.common.memory import available_bytes

_COPIES: Final = 4
"""Copies of an image in memory at the same time: the file, the body, and the request, in Base64 for
Lambda."""


@dataclass(frozen=True)
class Payload:
    """The body of a POST and its Content-Type."""

    content: bytes
    content_type: str


def image_path(text: str) -> Path:
    """An option type. Raises `UsageError` if `text` is empty: the path would be the folder in which
    the script was started."""
    if not text:
        raise UsageError("The path of --image is empty. Name an image or a folder of images.")
    return Path(text)


def find_images(path: Path) -> list[Path]:
    """`path` itself if it is a file, else the image files (by name) in the folder `path`, sorted.
    Raises `UsageError` if there are none."""
    if path.is_file():
        return [path]
    if path.exists() and not path.is_dir():
        raise UsageError(
            f"{str(path)!r} is not a regular file. Name an image or a folder of images."
        )
    if not path.is_dir():
        raise UsageError(f"{str(path)!r} does not exist. Name an image or a folder of images.")
    images = sorted(
        entry for entry in path.iterdir() if entry.is_file() and _is_image_name(entry.name)
    )
    if not images:
        raise UsageError(f"The folder {str(path)!r} has no images. Name another.")
    return images


def read_payloads(path: Path) -> Sequence[Payload]:
    """A payload for each image that `find_images` returns. Raises `UsageError`."""
    try:
        images = find_images(path)
        _check_memory(sum(image.stat().st_size for image in images))
        return [multipart(image.name, image.read_bytes()) for image in images]
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _check_memory(size: int) -> None:
    """Raises `UsageError` if images of `size` bytes do not fit into memory."""
    most = available_bytes() // _COPIES
    if size > most:
        raise UsageError(
            f"The images have {size / 1e6:,.0f} MB, but at most {most / 1e6:,.0f} MB fit into "
            "memory. Use fewer or smaller images."
        )


def multipart(filename: str, data: bytes) -> Payload:
    """A form with one file in the field `file`, as browsers and curl send it (RFC 7578)."""
    boundary = f"form-{secrets.token_hex(16)}"
    quoted = filename.replace("\\", "_").replace('"', "%22").replace("\r", "_").replace("\n", "_")
    media_type = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    content = b"".join([head.encode(errors="replace"), data, f"\r\n--{boundary}--\r\n".encode()])
    return Payload(content, f"multipart/form-data; boundary={boundary}")


def _is_image_name(name: str) -> bool:
    media_type = mimetypes.guess_type(name)[0] or ""
    return media_type.startswith("image/") and not name.startswith(".")
