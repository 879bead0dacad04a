"""Cross-origin resource sharing (Fetch Standard, "CORS protocol") for the origins of a setting.

Declined: Starlette's CORSMiddleware. Inside `ServiceMiddleware` its headers would be missing from
the 500 of that; outside, preflights would have no request id, log line and metrics. It refuses a
preflight in plain text.
"""

from collections.abc import Collection
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.responses import Response
from starlette.types import Scope

from classifier.errors import CrossOriginRefused
from classifier.origins import ANY_ORIGIN

METHODS: Final = ("GET", "HEAD", "POST")

_REQUEST_HEADERS: Final = "authorization, content-encoding, content-type, user-agent, x-request-id"
"""Beside those that need no permission. Hugging Face's JavaScript client sets User-Agent."""

_RESPONSE_HEADERS: Final = b"x-request-id, server-timing, retry-after, www-authenticate"

_MAX_AGE: Final = 7200
"""Seconds that a browser keeps the response to a preflight; Chromium's maximum"""

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": ", ".join(METHODS),
    "Access-Control-Allow-Headers": _REQUEST_HEADERS,
    "Access-Control-Max-Age": str(_MAX_AGE),
}

Header = tuple[bytes, bytes]


class Sharing(NamedTuple):
    """One request, by the rules of `Cors`. A preflight has a `response` or a `refusal`."""

    headers: list[Header]
    vary: bytes = b""
    response: Response | None = None
    refusal: CrossOriginRefused | None = None

    def complete(self, headers: list[Header]) -> list[Header]:
        """The `headers` of the response, and those of CORS."""
        if self.vary:
            others = [value for name, value in headers if name == b"vary"]
            headers = [header for header in headers if header[0] != b"vary"]
            headers.append((b"vary", b", ".join([*others, self.vary])))
        return headers + self.headers


class Cors:
    """Pages of some origins may read the responses. Credentials are those that a page has and
    sends as `Authorization`, never those that the browser keeps."""

    def __init__(self, origins: Collection[str]) -> None:
        """`origins` are those of `Settings.allowed_origins`."""
        self._any = ANY_ORIGIN in origins
        self._origins = {origin.encode() for origin in origins}

    def share(self, scope: Scope) -> Sharing:
        """The headers for the request of `scope`, and the response if it is a preflight."""
        origin = method = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
            elif name == b"access-control-request-method":
                method = value.decode("latin-1")
        is_preflight = scope["method"] == "OPTIONS" and origin is not None and method is not None
        is_allowed = self._any or origin in self._origins
        if is_preflight and not is_allowed:
            return self._refused("Pages of this origin may not use the service (CORS_ORIGINS).")
        if is_preflight and method not in METHODS:
            allowed = ", ".join(METHODS)
            return self._refused(f"Pages of other origins may send {allowed}, and not {method}.")
        response = Response(None, HTTPStatus.NO_CONTENT, _PREFLIGHT) if is_preflight else None
        headers = self._headers(origin) if is_allowed else []
        return Sharing(headers, self._vary, response)

    @property
    def _vary(self) -> bytes:
        return b"" if self._any else b"Origin"

    def _headers(self, origin: bytes | None) -> list[Header]:
        granted = b"*" if self._any else origin or b""
        return [
            (b"access-control-allow-origin", granted),
            (b"access-control-expose-headers", _RESPONSE_HEADERS),
        ]

    def _refused(self, reason: str) -> Sharing:
        return Sharing([], self._vary, refusal=CrossOriginRefused(reason))
