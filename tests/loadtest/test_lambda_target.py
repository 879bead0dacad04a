"""Load on a Lambda function, against a stub of Lambda's Invoke."""

import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.loadtest import lambda_target
from local.loadtest.payload import Payload
from tests.support.paths import SAMPLE
from tests.support.scripts import measured, refused
from tests.support.stub import PREDICTIONS, Received, Stub

ONE = "local/test_script.py"
NO_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "",
}
CREDENTIALS = {
    **NO_CREDENTIALS,
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
INVOKED = "2015-03-31/functions/classifier/invocations"


def result(status: int = 200, body: bytes = PREDICTIONS, encoded: bool = False) -> str:
    text = base64.b64encode(body).decode() if encoded else body.decode()
    return json.dumps({"statusCode": status, "body": text, "isBase64Encoded": encoded})


def invoke(
    stub: Stub, *answers: str, requests: int, folder: Path, environment: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """`answers` are the payloads that the function returns, in turn."""
    stub.follow(*answers)
    stub.alias = INVOKED
    done, report = measured(ONE, requests, "--lambda", "classifier", "--endpoint-url", stub.url,
                            folder=folder, environment=environment)  # fmt: skip
    return done.returncode, report


def test_event_has_the_format_of_a_function_url(stub: Stub, tmp_path: Path) -> None:
    status, report = invoke(stub, f"json/{result()}", requests=3, folder=tmp_path,
                            environment=NO_CREDENTIALS)  # fmt: skip
    assert (status, report["answered"], report["target"]) == (0, 3, "lambda classifier")
    assert len(stub.received) == 3
    event = json.loads(stub.received[0].body)
    assert event["version"] == "2.0"
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["rawPath"] == "/"
    assert event["isBase64Encoded"] is True
    assert event["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    body = base64.b64decode(event["body"])
    assert SAMPLE.read_bytes() in body
    assert int(event["headers"]["content-length"]) == len(body)
    assert "authorization" not in stub.received[0].headers


def test_invocations_are_signed(stub: Stub, tmp_path: Path) -> None:
    status, _ = invoke(stub, f"json/{result(encoded=True)}", requests=2, folder=tmp_path,
                       environment=CREDENTIALS)  # fmt: skip
    assert status == 0
    assert [request.headers["authorization"] for request in stub.received] == [
        signature(request, stub.url) for request in stub.received
    ]


def signature(received: Received, url: str) -> str:
    """The signature that AWS computes, with the same secret (Signature Version 4)."""
    request = AWSRequest("POST", f"{url}/{INVOKED}", data=received.body)
    request.context["timestamp"] = received.headers["x-amz-date"]
    signed = "SignedHeaders="
    names = received.headers["authorization"].split(signed)[1].split(",")[0].split(";")
    for name in names:
        if name != "host":
            request.headers[name] = received.headers[name]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "lambda", "eu-central-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    scope = quote(auth.scope(request), safe="/")
    value = auth.signature(text, request)
    return f"AWS4-HMAC-SHA256 Credential={scope}, {signed}{';'.join(names)}, Signature={value}"


def test_given_headers_are_those_of_the_event(stub: Stub, tmp_path: Path) -> None:
    stub.follow(f"json/{result()}")
    stub.alias = INVOKED
    done, _ = measured(ONE, 1, "--lambda", "classifier", "--endpoint-url", stub.url, "--header",
                       "X-Load: yes", "--api-key", "k3y", folder=tmp_path,
                       environment=NO_CREDENTIALS)  # fmt: skip
    assert done.returncode == 0
    headers = json.loads(stub.received[0].body)["headers"]
    assert (headers["x-load"], headers["authorization"]) == ("yes", "Bearer k3y")
    assert "authorization" not in stub.received[0].headers


def test_function_failures_are_counted_by_kind(stub: Stub, tmp_path: Path) -> None:
    answers = {
        "status/429": "status 429",
        f"json/{result(status=415)}": "status 415",
        f"json/{result(body=b'{}')}": "no predictions",
        'json/{"errorMessage":"Unhandled"}': "function error",
        'json/"text"': "function error",
    }
    status, report = invoke(stub, *answers, f"json/{result()}", requests=12, folder=tmp_path,
                            environment=CREDENTIALS)  # fmt: skip
    assert status == 1
    assert report["answered"] == 2
    kinds = ["status 429", "status 415", "no predictions"]
    assert report["failures_by_kind"] == {**dict.fromkeys(kinds, 2), "function error": 4}


def test_image_above_the_payload_limit_exits_2(stub: Stub, tmp_path: Path) -> None:
    image = tmp_path / "large.jpg"
    image.write_bytes(bytes(5_000_000))
    target = ("--lambda", "classifier", "--endpoint-url", stub.url)
    assert refused(ONE, "--image", image, *target) == (
        "error: An image exceeds Lambda's limit of 6 MB per request, base64 included. "
        "Use a smaller one.\n"
    )


@pytest.mark.parametrize("missing", ["credentials", "region"])
def test_missing_credentials_or_region_exits_2(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NO_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    if missing == "region":
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    else:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    said = refused(ONE, "--lambda", "classifier")
    assert said.startswith("error: boto3 cannot invoke 'classifier': ")
    assert missing in said


def test_signatures_are_renewed(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    now = [1000.0]
    clock = SimpleNamespace(**{**vars(time), "monotonic": lambda: now[0]})
    monkeypatch.setattr(lambda_target, "time", clock)
    target = lambda_target.lambda_target("f", stub.url, [Payload(b"x", "text/plain")])
    first = target.requests()
    now[0] += lambda_target._SIGNATURE_SECONDS
    assert target.requests() is first
    now[0] += 1
    assert target.requests() is not first
