from collections.abc import Iterator

import pytest

from tests.load.stub import Stub, serving_stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving_stub() as running:
        yield running
