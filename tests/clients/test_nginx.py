"""nginx in front: a refusal passes through it."""

import pytest

from tests.clients.catalogue import CLIENTS
from tests.clients.client import Client
from tests.clients.trial import Trial
from tests.support.tools import needs

pytestmark = pytest.mark.slow

BEHIND_NGINX = [
    pytest.param(client, id=client.name, marks=[needs(tool) for tool in client.needs])
    for client in CLIENTS
    if client.nginx
]


@pytest.mark.parametrize("mebibytes", [21, 30, 100])
@pytest.mark.parametrize("client", BEHIND_NGINX)
def test_413_of_the_service_passes(clients: Trial, client: Client, mebibytes: int) -> None:
    run = clients.too_large(client, mebibytes << 20)
    assert run.outcome.status == 413, run
