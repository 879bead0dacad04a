"""Events of every shape, sent to the runtime interface emulator and client."""

import base64
import json
from typing import Any

import httpx
import pytest

from local.common.emulator import Function, docker, python_in, running
from tests.support.containers import BASE_IMAGE, STRICT, address_for_containers
from tests.support.lambda_events import SHAPES, Shape, v1, v2
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL, encode, photo
from tests.support.s3 import s3_server
from tests.support.wait import wait_until


def body_of(response: dict[str, Any]) -> Any:
    content = response["body"]
    if response.get("isBase64Encoded"):
        content = base64.b64decode(content).decode()
    return json.loads(content)


def form(content: bytes) -> tuple[bytes, dict[str, str]]:
    request = httpx.Request("POST", "http://x", files={"file": ("photo", content)})
    return request.read(), {"content-type": request.headers["content-type"]}


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.__name__)
def shape(request: pytest.FixtureRequest) -> Shape:
    shape: Shape = request.param
    return shape


def test_event_gets_the_response_of_uvicorn(
    function: Function, shape: Shape, client: httpx.Client
) -> None:
    """The photo arrives byte for byte."""
    for content in (SAMPLE.read_bytes(), encode(photo("coffee.png").convert("RGBA"), "PNG")):
        body, headers = form(content)
        response = function.invoke(shape("POST", "/", body, headers))
        assert response["statusCode"] == 200
        assert body_of(response) == client.post("/", files={"file": content}).json()


def test_pages_and_problems_have_their_status(function: Function, shape: Shape) -> None:
    page = function.invoke(shape("GET", "/", b"", {"accept": "text/html"}))
    assert page["statusCode"] == 200
    assert "<form" in page["body"]
    nothing = function.invoke(shape("GET", "/nothing", b"", {}))
    assert (nothing["statusCode"], body_of(nothing)["status"]) == (404, 404)
    empty = function.invoke(shape("POST", "/", b"", {}))
    assert (empty["statusCode"], body_of(empty)["status"]) == (422, 422)


def test_query_parameters_are_passed(function: Function, shape: Shape) -> None:
    body, headers = form(SAMPLE.read_bytes())
    response = function.invoke(shape("POST", "/", body, headers, query={"top_k": "2"}))
    assert len(body_of(response)["predictions"]) == 2


def test_invalid_base64_gets_400(function: Function, shape: Shape) -> None:
    event = {**shape("POST", "/", b"x", {"content-type": "image/png"}), "body": "!!!"}
    event["isBase64Encoded"] = True
    response = function.invoke(event)
    assert response["statusCode"] == 400
    assert "not valid base64" in body_of(response)["detail"]
    health = function.invoke(shape("GET", "/healthz", b"", {}))
    assert health["statusCode"] == 200, "the function keeps running"


@pytest.mark.parametrize("gateway", [v1, v2])
def test_stage_is_removed_from_paths_and_added_to_links(function: Function, gateway: Shape) -> None:
    health = function.invoke(gateway("GET", "/healthz", b"", {}, stage="prod"))
    assert body_of(health)["status"] == "ok"
    page = function.invoke(gateway("GET", "/", b"", {}, stage="prod"))
    assert '<base href="/prod/">' in page["body"]
    asset = function.invoke(gateway("GET", "/page/page.css", b"", {}, stage="prod"))
    assert asset["statusCode"] == 200


@pytest.mark.parametrize("gateway", [v1, v2])
def test_stage_is_removed_only_as_a_whole_segment(function: Function, gateway: Shape) -> None:
    """Given the stage `heal` and the path /healthz."""
    event = gateway("GET", "/healthz", b"", {}, stage="heal")
    assert function.invoke(event)["statusCode"] == 200


def test_invalid_host_gets_400(function: Function, shape: Shape) -> None:
    """Given a host with two ports; no headers at all are accepted. Gateways send neither."""
    damaged = shape("GET", "/healthz", b"", {"host": "a:1:2"})
    response = function.invoke(damaged)
    assert response["statusCode"] == 400
    assert "cannot be read" in body_of(response)["detail"]
    bare = {**v2("GET", "/healthz", b"", {}), "headers": None}
    assert function.invoke(bare)["statusCode"] == 200


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({}, "UnknownEvent", "This event is none of them"),
        ([], "UnknownEvent", "This event is none of them: a list"),
        ("text", "UnknownEvent", "This event is none of them"),
        (None, "UnknownEvent", "This event is none of them"),
        ({"requestContext": {}}, "UnknownEvent", "This event is none of them"),
        ({"version": "2.0", "requestContext": {}}, "UnknownEvent", "none of them"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, "MalformedEvent", "messageId"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "MalformedEvent", "a record of S3 or SNS"),
        (
            {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
            "MalformedEvent",
            "event.Records[0].s3",
        ),
    ],
)
def test_invalid_event_is_an_error_that_says_why(
    function: Function, event: object, kind: str, message: str
) -> None:
    response = function.invoke(event)
    assert response["errorType"] == kind
    assert message in response["errorMessage"]
    assert function.invoke(v2("GET", "/healthz", b"", {}))["statusCode"] == 200


def test_metrics_and_request_ids_are_logged(function: Function) -> None:
    body, headers = form(SAMPLE.read_bytes())
    function.invoke(v2("POST", "/", body, headers))
    function.invoke(v2("POST", "/", *form(b"no image")))

    def logged() -> list[dict[str, Any]]:
        lines = [line for line in function.log().splitlines() if line.startswith('{"_aws"')]
        return [json.loads(line) for line in lines]

    def has_the_last_line() -> bool:
        return any(entry.get("kind") == "UnsupportedFormat" for entry in logged())

    wait_until(has_the_last_line, "every log line")
    entries = logged()
    assert sum("ColdStart" in entry for entry in entries) == 1
    classified = [entry for entry in entries if "Classifications" in entry][-1]
    assert classified["DecodeTime"] > 0
    assert classified["InferTime"] > 0
    assert 0.3 < classified["TopProbability"] < 0.6
    assert classified["requestId"]
    for entry in entries:
        (directive,) = entry["_aws"]["CloudWatchMetrics"]
        assert all(metric["Name"] in entry for metric in directive["Metrics"])
        assert all(name in entry for name in directive["Dimensions"][0])


def test_function_needs_no_network_and_no_writable_files(image: str) -> None:
    """The invocation is sent from inside the container, which has no network."""
    container = docker("run", "--detach", *STRICT, "--memory", "512m", image)
    event = json.dumps(v2("POST", "/", *form(SAMPLE.read_bytes())))
    code = (
        "import sys, urllib.request as r; print(r.urlopen("
        "'http://127.0.0.1:8080/2015-03-31/functions/function/invocations', "
        "sys.stdin.buffer.read()).read().decode())"
    )
    try:
        response = json.loads(python_in(container, code, stdin=event))
    finally:
        docker("rm", "--force", container)
    assert body_of(response)["predictions"][0]["label"] == SAMPLE_LABEL


def test_s3_event_writes_a_result(image: str, s3: Any, bucket: str) -> None:
    s3.upload_file(str(SAMPLE), bucket, "incoming/cat.jpg")
    record = {"bucket": {"name": bucket}, "object": {"key": "incoming/cat.jpg"}}
    event = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": record}]}
    # moto has the same objects for all servers of this process.
    with s3_server(host=address_for_containers(image)) as place:
        environment = {**place, "BUCKET": bucket}
        with running(image, environment=environment) as started:
            assert started.invoke(event) == {"results": ["results/cat.jpg.json"]}
    result = json.loads(s3.get_object(Bucket=bucket, Key="results/cat.jpg.json")["Body"].read())
    assert result["predictions"][0]["label"] == SAMPLE_LABEL


def test_image_adds_at_most_200_mb_to_its_base(image: str) -> None:
    base = docker("inspect", "-f", "{{.Size}}", BASE_IMAGE)
    whole = docker("inspect", "-f", "{{.Size}}", image)
    assert int(whole) - int(base) <= 200_000_000


def test_image_contains_only_the_function(image: str) -> None:
    listing = docker("run", "--rm", "--entrypoint", "ls", image, "-A", "/var/task").split()
    assert {"main.py", "classifier", "model", "onnxruntime"} <= set(listing)
    assert not {"tests", "local", "locust", "pytest", "requirements.txt"} & set(listing)
    assert not [name for name in listing if name.startswith(".")]
    tag, *compiled = docker(
        *("run", "--rm", "--entrypoint", "sh", image, "-c"),
        "python -c 'import sys; print(sys.implementation.cache_tag)'; ls classifier/__pycache__",
    ).split()
    assert f"settings.{tag}.pyc" in compiled
