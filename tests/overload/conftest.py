import pytest
from PIL import Image

from tests.support.pictures import encode


@pytest.fixture(scope="session")
def slow_image() -> bytes:
    """Much to decode and little to send, so that the service and not the client is loaded."""
    return encode(Image.new("RGB", (4000, 3000), "orange"), "PNG")
