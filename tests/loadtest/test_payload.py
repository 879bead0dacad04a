"""Payloads and URLs."""

import os
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from local.common.cli import UsageError
from local.common.paths import SAMPLE
from local.loadtest.payload import find_images, multipart, read_payloads
from local.loadtest.target import parse_url


def test_payload_is_a_form_with_one_file() -> None:
    body = multipart('a "b".png', b"\x89PNG\r\n--x")
    form = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content)
    parts = form.get_payload()
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, Message)
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "a %22b%22.png"
    assert part.get_content_type() == "image/png"
    assert part.get_payload(decode=True) == b"\x89PNG\r\n--x"


def test_find_images_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder.png").mkdir()
    assert [image.name for image in find_images(tmp_path)] == ["a.png", "b.jpg"]
    assert [b"b.jpg" in payload.content for payload in read_payloads(tmp_path)] == [False, True]


def test_sample_exists() -> None:
    assert find_images(SAMPLE) == [SAMPLE]


def test_images_larger_than_the_memory_are_refused(tmp_path: Path) -> None:
    # given: a terabyte without blocks on the disk
    with (tmp_path / "large.jpg").open("wb") as image:
        image.truncate(2**40)
    for path in (tmp_path, tmp_path / "large.jpg"):
        with pytest.raises(
            UsageError, match=r"^The images have 1,099,512 MB, but at most [\d,]+ MB"
        ):
            read_payloads(path)


def test_image_that_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(UsageError, match=r"is not a regular file\. Name an image or a folder"):
            read_payloads(path)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://x/", "http://", "http://x:y/", "http://x/ y", "http://x/\udce9"],
)
def test_invalid_url_raises(url: str) -> None:
    with pytest.raises(UsageError, match="is not a URL"):
        parse_url(url)
