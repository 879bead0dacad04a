"""Startup: the command, the imports, and no side effects."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.lambda_events import function_url
from tests.support.paths import ROOT
from tests.support.server import serving, start_refused
from tests.support.wait import HANG_SECONDS


def test_invalid_setting_refuses_to_start() -> None:
    assert "MAX_PIXELS must be a whole number of pixels" in start_refused(MAX_PIXELS="lots")


def test_uvicorn_main_app_serves_from_its_folder(tmp_path: Path, sample: bytes) -> None:
    """`cd function && uvicorn main:app --reload` serves."""
    with serving(tmp_path / "log", "--reload", folder="function") as server:
        assert server.client.post("/", files={"file": sample}).status_code == 200


@dataclass(frozen=True)
class Start:
    """The effects of `import main` in a new interpreter: threads, its first one included, modules
    imported, whether `app` is a FastAPI, and files written to the home directory."""

    threads: int
    modules: set[str]
    is_fastapi: bool
    files: list[Path]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Start:
    home = tmp_path_factory.mktemp("home")
    code = """
import json, os, sys
import main
threads = len(os.listdir("/proc/self/task"))
modules = list(sys.modules)
import fastapi
print(json.dumps([threads, modules, isinstance(main.app, fastapi.FastAPI)]))
"""
    threads, modules, is_fastapi = json.loads(
        interpret(code, HOME=str(home), ORT_DISABLE_TELEMETRY="")
    )
    return Start(threads, set(modules), is_fastapi, list(home.rglob("*")))


def interpret(code: str, **environment: str) -> str:
    """Run `code` in the folder of the function. Returns the last line of its output."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "function",
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_boto3_is_imported_only_for_s3(started: Start) -> None:
    assert "classifier.api.app" in started.modules
    assert "boto3" not in started.modules


def test_app_is_a_fastapi_application(started: Start) -> None:
    assert started.is_fastapi


def test_import_starts_no_thread_and_writes_no_file(started: Start) -> None:
    """ONNX Runtime's telemetry does both unless it is disabled, OpenBLAS starts a thread a core."""
    assert started.threads == 1
    assert started.files == []


def test_lambda_classifies_without_importing_fastapi(sample: bytes) -> None:
    """Importing FastAPI takes two fifths of a cold start; only other routes need it."""
    classify, describe = (
        function_url(method, path, body, {"content-type": "image/jpeg"})
        for method, path, body in (("POST", "/", sample), ("GET", "/openapi.json", b""))
    )
    code = f"""
import json, sys
before = set(sys.modules)
from main import handler
responses = []
for event in json.loads({json.dumps([classify, describe])!r}):
    response = handler(event, None)
    found = "predictions" in response["body"]
    responses.append([response["statusCode"], found, "fastapi" in sys.modules])
    unused = {{"prometheus_client", "uvicorn", "multiprocessing", "boto3"}}
    assert not unused & (sys.modules.keys() - before)
print(json.dumps(responses))
"""
    printed = interpret(code, AWS_LAMBDA_FUNCTION_NAME="classifier")
    assert json.loads(printed) == [[200, True, False], [200, True, True]]


def test_lambda_imports_only_these_packages_for_a_photo(sample: bytes) -> None:
    """A cold start imports them all, so another one is a decision: see docs/aws.md, Cold start."""
    event = function_url("POST", "/", sample, {"content-type": "image/jpeg"})
    code = f"""
import json, sys
before = set(sys.modules)
from main import handler
handler(json.loads({json.dumps(event)!r}), None)
assert "classifier.api.pages.home" not in sys.modules
names = {{name.partition(".")[0] for name in sys.modules.keys() - before}}
print(json.dumps(sorted(names - sys.stdlib_module_names)))
"""
    assert json.loads(interpret(code, AWS_LAMBDA_FUNCTION_NAME="classifier")) == [
        *("PIL", "anyio", "classifier", "main", "mangum", "numpy", "onnxruntime"),
        *("python_multipart", "starlette", "typing_extensions"),
    ]


def test_lambda_answers_a_preflight_without_importing_fastapi() -> None:
    page = "https://shop.example"
    headers = {"origin": page, "access-control-request-method": "POST"}
    events = [
        function_url("OPTIONS", "/", b"", {**headers, "origin": each}) for each in (page, "x")
    ]
    code = f"""
import json, sys
from main import handler
responses = [handler(event, None) for event in json.loads({json.dumps(events)!r})]
print(json.dumps([responses, "fastapi" in sys.modules]))
"""
    printed = interpret(code, AWS_LAMBDA_FUNCTION_NAME="classifier", CORS_ORIGINS=page)
    (allowed, refused), imported = json.loads(printed)
    assert not imported
    assert (allowed["statusCode"], allowed["body"]) == (204, "")
    assert allowed["headers"]["access-control-allow-origin"] == page
    assert allowed["headers"]["x-request-id"]
    assert refused["statusCode"] == 403
    assert "access-control-allow-origin" not in refused["headers"]


def test_lambda_without_cors_does_not_import_it() -> None:
    code = "import main, sys; print('classifier.server.cors' in sys.modules)"
    for origins in ("", "*"):
        environment = {"AWS_LAMBDA_FUNCTION_NAME": "classifier", "CORS_ORIGINS": origins}
        assert interpret(code, **environment) == str(bool(origins))


def test_lambda_returns_swagger_ui_as_text_within_its_limit() -> None:
    """A response of Lambda has at most 6 MB; base64 would take a third more."""
    events = [
        function_url("GET", f"/docs{path}", b"", {})
        for path in ("", "/swagger-ui/swagger-ui-bundle.js", "/swagger-ui/swagger-ui.css")
    ]
    code = f"""
import json
from main import handler
from classifier.api.pages.docs import swagger_ui_folder
responses = [handler(event, None) for event in json.loads({json.dumps(events)!r})]
_, script, styles = responses
assert script["body"] == (swagger_ui_folder() / "swagger-ui-bundle.js").read_text("utf-8")
assert styles["body"] == (swagger_ui_folder() / "swagger-ui.css").read_text("utf-8")
print(json.dumps([
    [each["statusCode"], each["isBase64Encoded"], len(json.dumps(each)) < 6_000_000]
    for each in responses
]))
"""
    printed = interpret(code, AWS_LAMBDA_FUNCTION_NAME="classifier")
    assert json.loads(printed) == [[200, False, True]] * 3


def test_swagger_ui_is_served_without_importing_its_package(started: Start) -> None:
    assert "fastapi_swagger" not in started.modules


def test_serving_writes_no_file_and_opens_no_connection(tmp_path: Path, sample: bytes) -> None:
    """Given an empty home, an empty temporary directory, and a small and a large photo."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    places = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    with serving(tmp_path / "log", "--timeout-keep-alive", "600", **places) as server:
        process = psutil.Process(server.process.pid)
        large = sample + bytes(8 * 1024 * 1024)  # data after the end of a JPEG is ignored
        with httpx.Client(timeout=HANG_SECONDS) as client:
            for body in (sample, large):
                assert client.post(server.url, files={"file": body}).status_code == 200
            writable = [file.path for file in process.open_files() if file.mode != "r"]
            connections = [
                connection.laddr.port
                for connection in process.net_connections()
                if connection.status == psutil.CONN_ESTABLISHED
            ]
    assert set(writable) == {str(tmp_path / "log")}
    assert connections == [httpx.URL(server.url).port]
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []
