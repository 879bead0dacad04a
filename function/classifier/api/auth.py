"""Who may POST: everybody, or who knows the key."""

import base64
import binascii
import hmac
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

_DETAIL: Final = (
    "This service takes images from those who have its key. Send it as the header "
    "Authorization: Bearer KEY; a browser asks for it: as the password, with any name."
)


def check_key(request: Request, key: str) -> None:
    """Raises `HTTPException` (401) where there is a `key` and the request does not have it.

    It comes as a bearer token or, since a browser asks for no other, as a basic password.
    """
    if key and not hmac.compare_digest(_given(request), key.encode()):
        # Only who reads HTML is asked by a browser's dialog.
        browser = "text/html" in request.headers.get("accept", "")
        challenge = 'Basic realm="classifier"' if browser else "Bearer"
        raise HTTPException(401, _DETAIL, {"WWW-Authenticate": challenge})


def _given(request: Request) -> bytes:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except binascii.Error:
            pass
    return b""
