"""Load on a Lambda function: Invoke requests, built and signed by boto3."""

import base64
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from local.common.cli import UsageError
from local.loadtest.payload import Payload
from local.loadtest.result import classify_invocation
from local.loadtest.target import HttpOptions, Target, parse_url, resolve

PAYLOAD_LIMIT: Final = 6 * 1024 * 1024
"""Maximum size of a synchronous invocation's payload in bytes (AWS: Lambda quotas)."""

_SIGNATURE_SECONDS: Final = 60.0
"""Maximum age of a signature. AWS rejects signatures older than 5 minutes (Signature Version 4),
and a request is prepared a second before it is sent."""

_EMULATOR_REGION: Final = "us-east-1"


def lambda_target(
    function: str,
    endpoint_url: str | None,
    payloads: Sequence[Payload],
    options: HttpOptions | None = None,
) -> Target:
    """Invoke `function` (name or ARN) with each of `payloads` in turn, as its function URL would.

    boto3 finds credentials, region and address, and signs. The load client sends the requests, so
    its timing is the same as for HTTP. A given endpoint (a local emulator) needs no credentials.
    The headers of `options` are those of the events. Raises `UsageError`.
    """
    options = options or HttpOptions()
    events = [json.dumps(function_url_event(body, options.headers)).encode() for body in payloads]
    if max(map(len, events)) > PAYLOAD_LIMIT:
        raise UsageError(
            "An image exceeds Lambda's limit of 6 MB per request, base64 included. "
            "Use a smaller one."
        )
    if endpoint_url is not None:
        endpoint_url = parse_url(endpoint_url).geturl()
    try:
        signer = _RequestSigner(
            _client(endpoint_url), function, events, keep_alive=options.keep_alive
        )
        signer.sign()
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"boto3 cannot invoke {function!r}: {error}") from None
    address = resolve(urlsplit(signer.url), options.tls)
    return Target(
        f"lambda {function}", address, signer.requests, classify_invocation, options.keep_alive
    )


def function_url_event(body: Payload, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The event of a function URL or an HTTP API for a POST (payload format 2.0), with `headers`
    besides the usual ones."""
    host = "localhost"
    http = {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    now = time.time()
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "content-length": str(len(body.content)),
            "content-type": body.content_type,
            "host": host,
            "x-forwarded-proto": "https",
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "load",
            "domainName": host,
            "domainPrefix": "load",
            "http": {**http, "userAgent": "image-classifier-load"},
            "requestId": "load",
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "body": base64.b64encode(body.content).decode(),
        "isBase64Encoded": True,
    }


def _client(endpoint_url: str | None) -> Any:
    session = boto3.Session()
    region = session.region_name or (_EMULATOR_REGION if endpoint_url else None)
    signed = endpoint_url is None or session.get_credentials() is not None
    config = Config(retries={"total_max_attempts": 1})
    if not signed:
        config = config.merge(Config(signature_version=UNSIGNED))
    return session.client("lambda", region_name=region, endpoint_url=endpoint_url, config=config)


class _RequestSigner:
    """Builds and signs Invoke requests with boto3 and captures them before they are sent."""

    def __init__(
        self, client: Any, function: str, events: Sequence[bytes], *, keep_alive: bool
    ) -> None:
        self.url = ""
        self._keep_alive = keep_alive
        self._client = client
        self._function = function
        self._events = events
        self._requests: list[bytes] = []
        self._captured: list[bytes] = []
        self._signed = float("-inf")
        client.meta.events.register("before-send.lambda.Invoke", self._capture)

    def requests(self) -> Sequence[bytes]:
        """The signed requests, one for each event; the signatures are at most a minute old."""
        if time.monotonic() - self._signed > _SIGNATURE_SECONDS:
            # If credentials expire during a run, requests are rejected; the report counts them.
            with contextlib.suppress(BotoCoreError):
                self.sign()
        return self._requests

    def sign(self) -> None:
        """Raises `BotoCoreError` if credentials are missing."""
        self._captured = []
        for payload in self._events:
            self._client.invoke(FunctionName=self._function, Payload=payload)
        self._requests = self._captured
        self._signed = time.monotonic()

    def _capture(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Store a prepared request; boto3 continues with an empty response."""
        assert request.url is not None
        assert isinstance(request.body, bytes)
        self.url = request.url
        parts = urlsplit(request.url)
        headers = {name: _decode(value) for name, value in request.headers.items()}
        headers |= {"Host": parts.netloc, "Accept-Encoding": "identity"}
        if not self._keep_alive:
            headers["Connection"] = "close"
        lines = [f"POST {parts.path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
        self._captured.append("\r\n".join([*lines, "", ""]).encode() + request.body)
        return AWSResponse(request.url, 200, HTTPHeaders(), _EmptyBody())


class _EmptyBody:
    """The body of the empty response."""

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return []

    def read(self, *_: Any) -> bytes:
        return b""


def _decode(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
