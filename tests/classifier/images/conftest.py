"""A photo, and the pixels that its lossless encodings decode to."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.images import read_image
from tests.support.pictures import SIZE, encode, photo

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return photo()


@pytest.fixture(scope="module")
def pixels(cat: Image.Image) -> Pixels:
    return read_image(encode(cat, "PNG"), SIZE)
