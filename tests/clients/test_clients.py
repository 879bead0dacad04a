"""People's clients, as they start them: each gets its classes, and learns why it got none."""

import pytest

from tests.clients.catalogue import CLIENTS, FILES
from tests.clients.client import Client
from tests.clients.outcome import BEST_LABEL, Outcome
from tests.clients.trial import Trial
from tests.support.tools import needs

pytestmark = pytest.mark.slow

EACH = pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, id=client.name, marks=[needs(tool) for tool in client.needs])
        for client in CLIENTS
    ],
)


@EACH
def test_photo_is_classified(clients: Trial, client: Client) -> None:
    run = clients.photo(client).run
    expected = Outcome(200, BEST_LABEL)
    assert run.outcomes == [expected] * (2 if client.reuses else 1), run


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, id=client.name, marks=[needs(tool) for tool in client.needs])
        for client in CLIENTS
        if client.reuses
    ],
)
def test_second_photo_takes_the_same_connection(clients: Trial, client: Client) -> None:
    used = clients.photo(client)
    assert len(used.run.outcomes) == 2, used
    assert len(used.heads) == 1, used


@EACH
def test_body_above_the_limit_gets_413_with_the_reason(clients: Trial, client: Client) -> None:
    run = clients.too_large(client)
    assert run.outcome.status == 413, run
    assert run.outcome.type == "/problems#upload-too-large"
    assert "20 MiB" in run.outcome.detail


@EACH
def test_text_gets_a_problem_in_json(clients: Trial, client: Client) -> None:
    run = clients.text(client)
    assert run.outcome.status in {415, 422}, run
    assert run.outcome.detail


def test_every_program_belongs_to_a_client() -> None:
    assert {client.file for client in CLIENTS} - {""} == set(FILES)
