"""The API key, as a bearer token or as a basic password."""

import base64
import hmac

from starlette.requests import Request

from classifier.api.negotiation import wants_page
from classifier.errors import Unauthorized


def check_key(request: Request, key: str) -> None:
    """Raises `Unauthorized` if there is a `key` and the request does not have it.

    Browsers ask for a password, so the key may also come as one (basic authentication).
    """
    if key and not hmac.compare_digest(_given_key(request), key.encode()):
        # Only a client that gets a page gets the challenge that opens a browser's dialog.
        raise Unauthorized('Basic realm="classifier"' if wants_page(request) else "Bearer")


def _given_key(request: Request) -> bytes:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except ValueError:  # not base64, or not ASCII
            pass
    return b""
