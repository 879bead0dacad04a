"""Images in base64, which are recognized in order to say so."""

import base64

import pytest
from PIL import Image

from classifier.errors import UnsupportedFormat
from classifier.images import read_image
from classifier.images.encoded_text import text_coding
from tests.support.pictures import encode


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_image_of_each_format_in_base64_is_recognized(kind: str) -> None:
    content = encode(Image.new("RGB", (20, 20)), kind)
    for text in (
        base64.b64encode(content),
        base64.encodebytes(content),
        base64.urlsafe_b64encode(content),
        b' "%b"' % base64.b64encode(content),
    ):
        assert text_coding(text) == "base64"
        with pytest.raises(UnsupportedFormat, match="It is base64: decode it"):
            read_image(text, 224)
    with pytest.raises(UnsupportedFormat, match="It is a data URI: decode it"):
        read_image(b"data:image/png;base64," + base64.b64encode(content), 224)


@pytest.mark.parametrize(
    "data", [b"photo.jpg", b"", b"a" * 64, b"\xff\xd8\xff", base64.b64encode(b"a text, no image")]
)
def test_other_data_is_not(data: bytes) -> None:
    assert text_coding(data) is None
