"""Origins of pages (Fetch Standard, "Origin"), as the setting CORS_ORIGINS lists them."""

import re
from typing import Final

ANY_ORIGIN: Final = "*"

_ORIGIN: Final = r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?"
"""Scheme, host and port in lower case, as browsers send them. Compiled where it is used: a cold
start is shorter."""

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
"""Ports that browsers leave out"""


def parse_origins(text: str) -> frozenset[str]:
    """The origins in `text`, separated by commas, as browsers send them, or `ANY_ORIGIN` alone.
    Raises `ValueError` with what `text` must be."""
    if text == ANY_ORIGIN:
        return frozenset((ANY_ORIGIN,))
    return frozenset(map(_origin, filter(None, map(str.strip, text.split(",")))))


def _origin(text: str) -> str:
    found = re.fullmatch(_ORIGIN, text.lower())
    if not found:
        raise ValueError(
            "* or origins without a path, such as https://example.com, "
            f"separated by commas; it has {text!r}."
        )
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (
        f":{port}" if port and port != _DEFAULT_PORTS.get(scheme) else ""
    )
