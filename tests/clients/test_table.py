"""The documentation has every client, as the tests run it."""

import json

from local.docs.measurements import MEASURED
from tests.clients.catalogue import CLIENTS


def test_table_has_every_client() -> None:
    """After a change of the catalogue: make clients."""
    rows = json.loads((MEASURED / "clients.json").read_text("utf-8"))["clients"]
    assert [(row["name"], row["command"], row["file"]) for row in rows] == [
        (client.name, client.command, client.file) for client in CLIENTS
    ]
