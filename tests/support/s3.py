"""An S3 server over real HTTP: moto behind a guard that applies POST policies as S3 does."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.threads import serving_in_thread

SECRET = "test"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PolicyGuard:
    """Refuses POST uploads that their signed policy does not allow; moto accepts all.

    The rules are those of the Amazon S3 API Reference, "Browser-Based Uploads Using POST": the
    signature covers the base64 of the policy, and each condition must hold.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and "multipart" in environ.get("CONTENT_TYPE", ""):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            with Request({**environ, "wsgi.input": BytesIO(body)}) as request:
                refusal = self._refusal(request)
            if refusal:
                return Response(f"<Error><Code>{refusal}</Code></Error>", 403)(environ, start)
            environ["wsgi.input"] = BytesIO(body)
        return self._application(environ, start)

    def _refusal(self, request: Request) -> str | None:
        fields = {name.lower(): value for name, value in request.form.items()}
        size = len(request.files["file"].read())
        if not hmac.compare_digest(_signature(fields), fields["x-amz-signature"]):
            return "SignatureDoesNotMatch"
        fields["bucket"] = request.path.strip("/")
        covered = {"policy", "x-amz-signature", "bucket"}
        for condition in json.loads(base64.b64decode(fields["policy"]))["conditions"]:
            match condition:
                case ["content-length-range", least, most]:
                    if not least <= size <= most:
                        return "EntityTooLarge" if size > most else "EntityTooSmall"
                case ["starts-with", name, prefix]:
                    covered.add(name.removeprefix("$").lower())
                    if not fields.get(name.removeprefix("$").lower(), "").startswith(prefix):
                        return "AccessDenied"
                case dict():
                    for name, value in condition.items():
                        covered.add(name.lower())
                        if fields.get(name.lower()) != value:
                            return "AccessDenied"
                case _:
                    raise AssertionError(f"unknown condition {condition}")
        return None if set(fields) <= covered else "AccessDenied"


def _signature(fields: dict[str, str]) -> str:
    """Signature version 4 of the policy (AWS IAM User Guide, "Create a signed AWS API request")."""
    _, *scope = fields["x-amz-credential"].split("/")
    key = f"AWS4{SECRET}".encode()
    for part in (*scope, fields["policy"]):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


class _Quiet(WSGIRequestHandler):
    """A line for each of ten thousand requests helps nobody."""

    def log_request(self, *_: object) -> None:
        pass


@contextmanager
def s3_server(
    around: Callable[[Application], Application] | None = None, host: str = "127.0.0.1"
) -> Iterator[dict[str, str]]:
    """Serve on a free port of `host`. Yields the environment that points boto3 to it. Requests go
    through `around`, for example to fail."""
    application: Application = PolicyGuard(DomainDispatcherApplication(create_backend_app))
    if around:
        application = around(application)
    server = make_server(host, 0, application, threaded=True, request_handler=_Quiet)
    with serving_in_thread(server):
        yield {
            "AWS_ENDPOINT_URL_S3": f"http://{host}:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
