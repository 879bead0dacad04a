"""The health check of a container: `python -m classifier.server.health`.

It requests `/livez` from the service in the same container, at the address in the same variables.
Exit status 0 if the service responds, otherwise 1, with the reason in one line. The options of the
server's command are unknown here: change the port with PORT.
"""

import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final

from classifier.settings import Settings, SettingsError

PATH: Final = "/livez"

_SECONDS: Final = 2.0
"""The Dockerfile gives the check a second more."""

_LOOPBACK: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""The address to connect to if the service listens on all addresses"""


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Check the service. Returns the exit status."""
    place = ""
    try:
        host, port = address(environment)
        place = f"{host} port {port}: "
        # Declined: urllib.request, which uses the proxy of the environment.
        connection = HTTPConnection(host, port, timeout=_SECONDS)
        connection.request("GET", PATH, headers={"Connection": "close"})
        status = connection.getresponse().status
    except (SettingsError, OSError, HTTPException) as error:
        print(f"error: {place}{error or type(error).__name__}", file=sys.stderr)
        return 1
    if status != HTTPStatus.OK:
        print(f"error: {place}{PATH} responds with {status}", file=sys.stderr)
        return 1
    return 0


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host and port at which the service of this environment can be asked. uvicorn's own variables
    override the settings, as for the service. Raises `SettingsError`."""
    own = {name: environment.get(f"UVICORN_{name}") for name in ("HOST", "PORT")}
    settings = Settings.from_environment(
        {**environment, **{name: value for name, value in own.items() if value}}
    )
    return _LOOPBACK.get(settings.host, settings.host), settings.port


if __name__ == "__main__":
    raise SystemExit(main())
