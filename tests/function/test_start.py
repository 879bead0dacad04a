"""What the service refuses to start with, and what it does beside serving: nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from mypy_boto3_s3 import S3Client

from classifier.artifact import ArtifactError
from classifier.model import load_model, read_artifact
from tests.support.lambda_events import function_url
from tests.support.paths import ROOT, SHIPPED_MODEL
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import serving, start_refused
from tests.support.wait import HANG_SECONDS


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model"))


def change_card(model: Path, **changes: object) -> None:
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**card, **changes}))


# Refused starts: how one ends, and then every reason


def test_a_setting_that_cannot_be_used() -> None:
    assert "MAX_PIXELS must be a whole number of pixels" in start_refused(MAX_PIXELS="lots")


def test_a_graph_that_is_not_onnx(model_copy: Path) -> None:
    (model_copy / "model.onnx").write_bytes(b"not a graph")
    change_card(model_copy, sha256=hashlib.sha256(b"not a graph").hexdigest())
    line = start_refused(MODEL_DIR=str(model_copy))
    assert "ONNX Runtime cannot load model.onnx" in line


def assert_refused(location: str | Path, message: str) -> None:
    """The model at `location` is refused with a message of one line."""
    with pytest.raises(ArtifactError) as refused:
        load_model(str(location))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_graph_that_is_not_the_card_s(model_copy: Path) -> None:
    graph = bytearray((model_copy / "model.onnx").read_bytes())
    graph[-1] ^= 1
    (model_copy / "model.onnx").write_bytes(graph)
    assert_refused(model_copy, "is not the file that model.json describes")


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    assert_refused(tmp_path, "MODEL_DIR must be a directory that holds")


@pytest.mark.parametrize(
    "card", ["", "{}", "[]", '{"name": "x", "sha256": "", "preprocessing": 1}']
)
def test_a_card_that_is_none(model_copy: Path, card: str) -> None:
    (model_copy / "model.json").write_text(card)
    assert_refused(model_copy, "is not a model card")


def test_an_interpolation_that_is_unknown(model_copy: Path) -> None:
    preprocessing = json.loads((model_copy / "model.json").read_text())["preprocessing"]
    change_card(model_copy, preprocessing={**preprocessing, "interpolation": "magic"})
    assert_refused(model_copy, "interpolation")


def test_labels_that_are_too_few(model_copy: Path) -> None:
    (model_copy / "labels.txt").write_text("cat\ndog\n")
    assert_refused(model_copy, "1000 classes, its labels file has 2 lines")


def test_a_model_that_is_not_in_s3(bucket: str) -> None:
    assert_refused(f"s3://{bucket}/nothing", f"s3://{bucket}/nothing/model.json")


def test_an_s3_address_without_a_bucket() -> None:
    assert_refused("s3://", "write s3://bucket/prefix")


# Starts that succeed


def test_the_classic_command_in_the_folder(tmp_path: Path, sample: bytes) -> None:
    """`cd function && uvicorn main:app --reload` serves."""
    with serving(tmp_path / "log", "--reload", folder="function") as server:
        assert server.client.post("/", files={"file": sample}).status_code == 200


def upload_model(s3: S3Client, bucket: str, prefix: str) -> None:
    for file in SHIPPED_MODEL.iterdir():
        s3.upload_file(str(file), bucket, f"{prefix}{file.name}")


@pytest.mark.parametrize("prefix", ["", "lite0/v1", "lite0/v1/"])
def test_a_model_in_s3_is_found(s3: S3Client, bucket: str, prefix: str) -> None:
    upload_model(s3, bucket, f"{prefix.rstrip('/')}/".lstrip("/"))
    assert read_artifact(f"s3://{bucket}/{prefix}") == read_artifact(str(SHIPPED_MODEL))


def test_a_model_in_s3_is_fetched_at_start(
    s3: S3Client, bucket: str, tmp_path: Path, sample: bytes
) -> None:
    upload_model(s3, bucket, "lite0/v1/")
    with serving(tmp_path / "log", MODEL_DIR=f"s3://{bucket}/lite0/v1") as server:
        answer = server.client.post("/", files={"file": sample})
    assert answer.json()["predictions"][0]["label"] == SAMPLE_LABEL


# What a start does besides


@dataclass(frozen=True)
class Start:
    """What `import main` did in an interpreter of its own: the threads that it started, the
    modules that were imported, and whether `app` is a FastAPI; `files` were written at home."""

    threads: int
    modules: set[str]
    is_fastapi: bool
    files: list[Path]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Start:
    home = tmp_path_factory.mktemp("home")
    code = """
import json, os, sys
import numpy
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
import main
started = threads() - before
modules = list(sys.modules)
import fastapi
print(json.dumps([started, modules, isinstance(main.app, fastapi.FastAPI)]))
"""
    threads, modules, is_fastapi = json.loads(
        interpret(code, HOME=str(home), ORT_DISABLE_TELEMETRY="")
    )
    return Start(threads, set(modules), is_fastapi, list(home.rglob("*")))


def interpret(code: str, **environment: str) -> str:
    """Run `code` in the folder of the function; the last line that it prints."""
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


def test_the_application_is_a_fastapi(started: Start) -> None:
    assert started.is_fastapi


def test_the_model_starts_no_thread_and_writes_no_file(started: Start) -> None:
    """ONNX Runtime's telemetry would do both."""
    assert started.threads == 0
    assert started.files == []


def test_lambda_imports_fastapi_only_for_what_is_not_a_classification(sample: bytes) -> None:
    """Its import is two fifths of a cold start."""
    classify, describe = (
        function_url(method, path, body, {"content-type": "image/jpeg"})
        for method, path, body in (("POST", "/", sample), ("GET", "/openapi.json", b""))
    )
    code = f"""
import json, sys
from main import handler
answers = []
for event in json.loads({json.dumps([classify, describe])!r}):
    answer = handler(event, None)
    found = "predictions" in answer["body"]
    answers.append([answer["statusCode"], found, "fastapi" in sys.modules])
    assert not {{"prometheus_client", "uvicorn", "multiprocessing", "boto3"}} & sys.modules.keys()
print(json.dumps(answers))
"""
    printed = interpret(code, AWS_LAMBDA_FUNCTION_NAME="classifier")
    assert json.loads(printed) == [[200, True, False], [200, True, True]]


def test_serving_writes_no_file_and_opens_no_connection(tmp_path: Path, sample: bytes) -> None:
    """Given an empty home and no temporary files, and photos small and large."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    places = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    with serving(tmp_path / "log", "--timeout-keep-alive", "600", **places) as server:
        process = psutil.Process(server.process.pid)
        large = sample + bytes(8 * 1024 * 1024)  # a JPEG may be followed by anything
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
