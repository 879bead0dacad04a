"""Request bodies: images as multipart/form-data."""

import mimetypes
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.common.cli import UsageError


@dataclass(frozen=True)
class Payload:
    """The body of a POST and its Content-Type."""

    content: bytes
    content_type: str


def find_images(path: Path) -> list[Path]:
    """`path` itself if it is a file, else the image files (by name) in the folder `path`, sorted.
    Raises `UsageError` if there are none."""
    if path.is_file():
        return [path]
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
        return [multipart(image.name, image.read_bytes()) for image in find_images(path)]
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from None


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
