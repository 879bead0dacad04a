"""Valid images for schemathesis, which a schema cannot describe."""

import base64
import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "orange").save(file, kind)
    return file.getvalue()


_IMAGES = st.sampled_from([_encoded(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP")])

schemathesis.openapi.format("binary", _IMAGES)
schemathesis.openapi.format("byte", _IMAGES.map(lambda image: base64.b64encode(image).decode()))
schemathesis.openapi.media_type("application/octet-stream", _IMAGES)
