"""Pictures for the tests: scikit-image's photos, and their encodings."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import skimage
from numpy.typing import NDArray
from PIL import Image

SAMPLE_TOP5 = [282, 285, 281, 287, 904]
"""Classes of local/sample.jpg; those of the FP32 model are the same."""

SAMPLE_LABEL, SAMPLE_WNID = "tiger cat", "n02123159"

SIZE = 224
"""The edge of the shipped model's input, in pixels."""

PHOTOS = Path(skimage.__file__).parent / "data"


def photo(name: str = "chelsea.png") -> Image.Image:
    with Image.open(PHOTOS / name) as image:
        return image.convert("RGB")


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
        options.setdefault("enc_params", {"preset": "ultrafast"})  # an eighth of the time
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_fast(image: Image.Image, kind: str, **options: Any) -> bytes:
    """With the encoder's fastest settings, for tests of decoders."""
    fastest: dict[str, dict[str, Any]] = {"AVIF": {"speed": 10}, "WEBP": {"method": 0}}
    return encode(image, kind, **fastest.get(kind, {}), **options)


def difference(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two pixel arrays, 0 to 255."""
    return float(np.abs(left.astype(np.int16) - right).mean())
