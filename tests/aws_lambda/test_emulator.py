"""Each shape of event, replayed against the real emulator and runtime interface client."""

import base64
import json
from typing import Any

import httpx
import pytest

from local.common.emulator import Function, docker, python_in, running
from tests.support.containers import STRICT
from tests.support.lambda_events import SHAPES, Shape, v1, v2
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL, encode, photo

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def body_of(answer: dict[str, Any]) -> Any:
    content = answer["body"]
    if answer.get("isBase64Encoded"):
        content = base64.b64decode(content).decode()
    return json.loads(content)


def form(content: bytes) -> tuple[bytes, dict[str, str]]:
    request = httpx.Request("POST", "http://x", files={"file": ("photo", content)})
    return request.read(), {"content-type": request.headers["content-type"]}


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.__name__)
def shape(request: pytest.FixtureRequest) -> Shape:
    made: Shape = request.param
    return made


def test_photos_survive_byte_for_byte(
    function: Function, shape: Shape, client: httpx.Client
) -> None:
    """The answer is the one that uvicorn gives."""
    for content in (SAMPLE.read_bytes(), encode(photo("coffee.png").convert("RGBA"), "PNG")):
        body, headers = form(content)
        answer = function.invoke(shape("POST", "/", body, headers))
        assert answer["statusCode"] == 200
        assert body_of(answer) == client.post("/", files={"file": content}).json()


def test_a_page_and_its_errors(function: Function, shape: Shape) -> None:
    page = function.invoke(shape("GET", "/", b"", {"accept": "text/html"}))
    assert page["statusCode"] == 200
    assert "<form" in page["body"]
    nothing = function.invoke(shape("GET", "/nothing", b"", {}))
    assert (nothing["statusCode"], body_of(nothing)["status"]) == (404, 404)
    empty = function.invoke(shape("POST", "/", b"", {}))
    assert (empty["statusCode"], body_of(empty)["status"]) == (422, 422)


def test_a_query(function: Function, shape: Shape) -> None:
    body, headers = form(SAMPLE.read_bytes())
    answer = function.invoke(shape("POST", "/", body, headers, query={"top_k": "2"}))
    assert len(body_of(answer)["predictions"]) == 2


def test_base64_that_is_none(function: Function, shape: Shape) -> None:
    event = {**shape("POST", "/", b"x", {"content-type": "image/png"}), "body": "!!!"}
    event["isBase64Encoded"] = True
    answer = function.invoke(event)
    assert answer["statusCode"] == 400
    assert "not valid base64" in body_of(answer)["detail"]
    health = function.invoke(shape("GET", "/healthz", b"", {}))
    assert health["statusCode"] == 200, "the function stays up"


@pytest.mark.parametrize("gateway", [v1, v2])
def test_a_stage_in_front(function: Function, gateway: Shape) -> None:
    health = function.invoke(gateway("GET", "/healthz", b"", {}, stage="prod"))
    assert body_of(health)["status"] == "ok"
    page = function.invoke(gateway("GET", "/", b"", {}, stage="prod"))
    assert '<base href="/prod/">' in page["body"]
    asset = function.invoke(gateway("GET", "/page/page.css", b"", {}, stage="prod"))
    assert asset["statusCode"] == 200


@pytest.mark.parametrize("gateway", [v1, v2])
def test_a_stage_that_a_path_begins_with(function: Function, gateway: Shape) -> None:
    """Stage `heal` is no part of the path /healthz."""
    event = gateway("GET", "/healthz", b"", {}, stage="heal")
    assert function.invoke(event)["statusCode"] == 200


def test_an_http_event_that_is_damaged(function: Function, shape: Shape) -> None:
    """Given a host with too many ports in it, or no headers at all, which gateways never send."""
    damaged = shape("GET", "/healthz", b"", {"host": "a:1:2"})
    answer = function.invoke(damaged)
    assert answer["statusCode"] == 400
    assert "cannot be read" in body_of(answer)["detail"]
    bare = {**v2("GET", "/healthz", b"", {}), "headers": None}
    assert function.invoke(bare)["statusCode"] == 200


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        "text",
        None,
        {"Records": []},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "s3": {}}]},
        {"requestContext": {}},
        {"version": "2.0", "requestContext": {}},
    ],
)
def test_an_event_of_another_kind(function: Function, event: object) -> None:
    answer = function.invoke(event)
    assert answer["errorType"] == "UnknownEvent"
    assert "This event is neither" in answer["errorMessage"]
    assert function.invoke(v2("GET", "/healthz", b"", {}))["statusCode"] == 200


def test_metrics_and_request_ids_are_in_the_log(function: Function) -> None:
    body, headers = form(SAMPLE.read_bytes())
    function.invoke(v2("POST", "/", body, headers))
    function.invoke(v2("POST", "/", *form(b"no image")))
    lines = [line for line in function.log().splitlines() if line.startswith('{"_aws"')]
    entries = [json.loads(line) for line in lines]
    assert sum("ColdStart" in entry for entry in entries) == 1
    classified = [entry for entry in entries if "Classifications" in entry][-1]
    assert classified["DecodeTime"] > 0
    assert classified["InferTime"] > 0
    assert classified["requestId"]
    for entry in entries:
        (directive,) = entry["_aws"]["CloudWatchMetrics"]
        assert all(metric["Name"] in entry for metric in directive["Metrics"])
        assert all(name in entry for name in directive["Dimensions"][0])
    assert any(entry.get("kind") == "UnsupportedFormat" for entry in entries)


def test_without_network_or_anything_writable(image: str) -> None:
    """The invocation is made inside the container, since nothing reaches it from outside."""
    with_network_none = docker("run", "--detach", *STRICT, "--memory", "512m", image)
    event = json.dumps(v2("POST", "/", *form(SAMPLE.read_bytes())))
    code = (
        "import sys, urllib.request as r; print(r.urlopen("
        "'http://127.0.0.1:8080/2015-03-31/functions/function/invocations', "
        "sys.stdin.buffer.read()).read().decode())"
    )
    try:
        answer = json.loads(python_in(with_network_none, code, stdin=event))
    finally:
        docker("rm", "--force", with_network_none)
    assert body_of(answer)["predictions"][0]["label"] == SAMPLE_LABEL


def test_an_s3_event(image: str, s3: Any, bucket: str, s3_environment: dict[str, str]) -> None:
    s3.upload_file(str(SAMPLE), bucket, "incoming/cat.jpg")
    environment = {**s3_environment, "BUCKET": bucket}
    record = {"bucket": {"name": bucket}, "object": {"key": "incoming/cat.jpg"}}
    event = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": record}]}
    with running(image, "--network", "host", environment=environment) as started:
        assert started.invoke(event) == {"results": ["results/cat.jpg.json"]}
    result = json.loads(s3.get_object(Bucket=bucket, Key="results/cat.jpg.json")["Body"].read())
    assert result["predictions"][0]["label"] == SAMPLE_LABEL


def test_what_our_layers_add(image: str) -> None:
    base = docker("inspect", "-f", "{{.Size}}", "public.ecr.aws/lambda/python:3.13")
    whole = docker("inspect", "-f", "{{.Size}}", image)
    assert int(whole) - int(base) <= 200_000_000


def test_only_what_the_function_needs_is_in_the_image(image: str) -> None:
    listing = docker("run", "--rm", "--entrypoint", "ls", image, "-A", "/var/task").split()
    assert {"main.py", "classifier", "model", "onnxruntime"} <= set(listing)
    assert not {"tests", "local", "locust", "pytest", "requirements.txt"} & set(listing)
    assert not [name for name in listing if name.startswith(".")]
    compiled = docker(
        "run", "--rm", "--entrypoint", "ls", image, "/var/task/classifier/__pycache__"
    )
    assert "api.cpython-313.pyc" in compiled.split()
