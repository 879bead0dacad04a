"""Content negotiation (RFC 9110, section 12.5.1): whether a client gets a page or JSON.

Programs get JSON. Many name `text/html` first by default, because their authors had documents in
mind: Java's HttpURLConnection, wget2, jQuery. So `text/html` alone does not make a browser.
"""

import re
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

VARY: Final = "Accept, Sec-Fetch-Mode, User-Agent"
"""The headers that decide. A browser sends either all of Sec-Fetch-* or none: one is enough."""

_XHTML: Final = "application/xhtml+xml"

# From the most specific to the widest.
_HTML: Final = ("text/html", "text/*")
_JSON: Final = ("application/json", "application/*", "*/*")
_PROBLEM: Final = ("application/problem+json", "application/*", "*/*")

_MAX_RANGES: Final = 50
"""Ranges that are read of a header. Browsers send up to ten; 64 KB may hold ten thousand."""

_WEIGHT: Final = r"0?\.\d+|0\.?|1(?:\.0*)?"
"""A q-value. Java sends `.2`, without the zero that the grammar requires. Compiled where it
is used: a cold start is shorter."""

_BROWSER_LIKE: Final = "wget"
"""The start of the User-Agent of wget2, whose `Accept` is that of Firefox"""


def wants_page(request: Request) -> bool:
    """Whether the response is a page: the client is a browser that does not prefer JSON, or it
    accepts HTML and no JSON. A script's request with `*/*` gets JSON in browsers, too."""
    accept = _accept(request)
    if "text/" not in accept:
        return False
    ranges = _media_ranges(accept)
    html = _quality(ranges, _HTML)
    json = max(_quality(ranges, _JSON), _quality(ranges, _PROBLEM))
    if not html or not json:
        return html > 0
    return html >= json and _is_browser(request, ranges)


def prefers_json(request: Request) -> bool:
    """Whether the client prefers JSON where a page is the default."""
    accept = _accept(request)
    if "application/" not in accept:
        return False
    ranges = _media_ranges(accept)
    return _quality(ranges, _JSON) > _quality(ranges, (*_HTML, "*/*"))


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept")).lower()


def _media_ranges(accept: str) -> dict[str, float]:
    """The weight of each media range. Parts that are malformed are left out, or match nothing."""
    plain: dict[str, float] = {}
    narrowed: dict[str, float] = {}
    for part in accept.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        media_range, *parameters = (each.strip() for each in part.split(";"))
        weight, found = "1", plain
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = value.strip()
            elif name:
                found = narrowed
        if re.fullmatch(_WEIGHT, weight):
            found[media_range] = max(float(weight), found.get(media_range, 0))
    # A parameter, such as level=1, narrows a range. The range without it decides, if there is one.
    return narrowed | plain


def _quality(ranges: dict[str, float], matching: Sequence[str]) -> float:
    """The weight of the first of `matching` that the client names; 0 if it names none."""
    return next((ranges[each] for each in matching if each in ranges), 0.0)


def _is_browser(request: Request, ranges: dict[str, float]) -> bool:
    """Browsers leave Sec-Fetch-* out on plain HTTP, except to the same machine."""
    headers = request.headers
    if any(name.startswith("sec-fetch-") for name in headers):
        return True
    is_program = headers.get("user-agent", "").lower().startswith(_BROWSER_LIKE)
    return ranges.get(_XHTML, 0) > 0 and not is_program
