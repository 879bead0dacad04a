"""The target of a load test: address, requests and the classification of responses."""

import base64
import socket
import ssl
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from local.common.cli import UsageError
from local.loadtest.environment import without_secrets
from local.loadtest.payload import Payload
from local.loadtest.result import ResponseClassifier, classify_response
from local.loadtest.traces import Traces

_CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Address:
    """A host that accepts connections, resolved once before the run."""

    family: socket.AddressFamily
    address: tuple[Any, ...]
    host: str
    tls: ssl.SSLContext | None


@dataclass(frozen=True)
class Target:
    """Address and requests of a run, and the classifier of their responses."""

    name: str
    """Its name in reports."""
    address: Address
    requests: Callable[[], Sequence[bytes]]
    """Returns the HTTP requests, head and body, to send in turn; called within a second before they
    are sent."""
    classify: ResponseClassifier
    keep_alive: bool = False
    """Whether connections are used again."""
    traces: Traces | None = None
    """The traces of the requests; None: they have none."""


@dataclass(frozen=True)
class HttpOptions:
    """How requests are sent."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to each request; one with the name of a header of the request replaces it."""
    keep_alive: bool = False
    traced: bool = False
    """Whether each request begins a trace."""
    tls: ssl.SSLContext | None = None
    """For https; None: certificates are verified with the system's authorities."""

    def __post_init__(self) -> None:
        if self.traced and any(name.lower() == "traceparent" for name in self.headers):
            raise UsageError("--traceparent sets traceparent; leave out --header 'traceparent: …'.")


def http_target(
    url: str, payloads: Sequence[Payload], options: HttpOptions | None = None
) -> Target:
    """POST `payloads` in turn to `url`. Raises `UsageError`, also if nothing listens there."""
    options = options or HttpOptions()
    parts = parse_url(url)
    requests = [
        post_request(parts, body, keep_alive=options.keep_alive, headers=options.headers)
        for body in payloads
    ]
    address = resolve(parts, options.tls)
    (name,) = without_secrets([parts.geturl()])
    return Target(
        name,
        address,
        lambda: requests,
        classify_response,
        options.keep_alive,
        Traces.new() if options.traced else None,
    )


def parse_url(url: str) -> SplitResult:
    """The parts of an http or https URL in ASCII, as they are sent: a name in Punycode, path and
    query percent-encoded. Raises `UsageError`."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in url or not url.isprintable():
        raise UsageError(f"{url!r} is not a URL. Use one such as http://localhost:8000/.")
    return parts._replace(
        netloc=_ascii_netloc(parts.netloc),
        path=_percent_encoded(parts.path),
        query=_percent_encoded(parts.query),
    )


def _ascii_netloc(netloc: str) -> str:
    user, at, host = netloc.rpartition("@")
    if host.isascii():
        return netloc
    name, colon, port = host.partition(":")
    try:
        encoded = name.encode("idna").decode("ascii")
        # IDNA 2003 replaces a few characters, such as ß, by others: that may be another host.
        same = encoded.encode().decode("idna") == unicodedata.normalize("NFKC", name).lower()
    except UnicodeError:
        same = False
    if not same:
        raise UsageError(
            f"The host name {name!r} cannot be encoded. Write it in Punycode (xn--...)."
        )
    return f"{user}{at}{encoded}{colon}{port}"


def _percent_encoded(text: str) -> str:
    """`text` with other characters than ASCII as UTF-8; what is encoded already stays so."""
    return quote(text, safe=string.punctuation)


def resolve(parts: SplitResult, tls: ssl.SSLContext | None = None) -> Address:
    """The first address of the URL's host that accepts a connection. `tls` is for https; None: the
    default. Raises `UsageError`."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme != "https":
        tls = None
    elif tls is None:
        tls = ssl.create_default_context()
    try:
        # The service may not listen on a name's first address (localhost: ::1).
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreachable(parts, reason) from None
    reason = "no address found"
    for family, _, _, _, address in found:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(address)
            except OSError as error:
                reason = error.strerror or str(error)
            else:
                return Address(socket.AddressFamily(family), address, host, tls)
    raise _unreachable(parts, reason)


def authorization(parts: SplitResult) -> Mapping[str, str]:
    """The header for the credentials of http://user:password@host, if there are any."""
    if parts.username is None:
        return {}
    credentials = unquote_to_bytes(f"{parts.username}:{parts.password or ''}")
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def _unreachable(parts: SplitResult, reason: object) -> UsageError:
    (url,) = without_secrets([parts.geturl()])
    return UsageError(
        f"{url} cannot be reached: {reason}. Check the address, and start the service (make run)."
    )


def post_request(
    parts: SplitResult,
    body: Payload,
    *,
    keep_alive: bool = False,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The complete request, as sent. Without `keep_alive`, it is the last of its connection.
    `headers` replace those of the same name, in any case, or are added."""
    own = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "image-classifier-load",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": body.content_type,
        "Content-Length": str(len(body.content)),
        **authorization(parts),
    }
    if not keep_alive:
        own["Connection"] = "close"
    given = headers or {}
    replaced = {name.lower() for name in given}
    lines = [f"{name}: {value}" for name, value in own.items() if name.lower() not in replaced]
    lines += [f"{name}: {value}" for name, value in given.items()]
    path = parts.path or "/"
    start = f"POST {path}{'?' + parts.query if parts.query else ''} HTTP/1.1"
    return "\r\n".join([start, *lines, "", ""]).encode("utf-8") + body.content
