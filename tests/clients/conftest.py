"""The service, and the clients' files."""

from collections.abc import Iterator

import pytest

from tests.clients.trial import Trial, trial


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(tmp_path_factory.mktemp("clients")) as running:
        yield running
