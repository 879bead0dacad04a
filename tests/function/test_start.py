"""What the service refuses to start with, and what it does beside serving: nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from mypy_boto3_s3 import S3Client

from tests.support.lambda_events import function_url
from tests.support.paths import ROOT
from tests.support.pictures import SAMPLE_LABEL
from tests.support.ports import free_port
from tests.support.server import serving

MODEL = ROOT / "function" / "model"


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Import the application as uvicorn does; it must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "uvicorn", "--app-dir", "function", "main:app", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def test_a_graph_that_is_not_the_card_s(model_copy: Path) -> None:
    graph = bytearray((model_copy / "model.onnx").read_bytes())
    graph[-1] ^= 1
    (model_copy / "model.onnx").write_bytes(graph)
    assert_refused(start(MODEL_DIR=str(model_copy)), "is not the file that model.json describes")


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    assert_refused(start(MODEL_DIR=str(tmp_path)), "MODEL_DIR must be a directory that holds")


@pytest.mark.parametrize(
    "card", ["", "{}", "[]", '{"name": "x", "sha256": "", "preprocessing": 1}']
)
def test_a_card_that_is_none(model_copy: Path, card: str) -> None:
    (model_copy / "model.json").write_text(card)
    assert_refused(start(MODEL_DIR=str(model_copy)), "is not a model card")


def test_an_interpolation_that_is_unknown(model_copy: Path) -> None:
    card = json.loads((model_copy / "model.json").read_text())
    card["preprocessing"]["interpolation"] = "magic"
    (model_copy / "model.json").write_text(json.dumps(card))
    assert_refused(start(MODEL_DIR=str(model_copy)), "interpolation")


def test_labels_that_are_too_few(model_copy: Path) -> None:
    (model_copy / "labels.txt").write_text("cat\ndog\n")
    assert_refused(start(MODEL_DIR=str(model_copy)), "1000 classes, its labels file has 2 lines")


def test_a_graph_that_is_not_onnx(model_copy: Path) -> None:
    (model_copy / "model.onnx").write_bytes(b"not a graph")
    card = json.loads((model_copy / "model.json").read_text())
    card["sha256"] = hashlib.sha256(b"not a graph").hexdigest()
    (model_copy / "model.json").write_text(json.dumps(card))
    assert_refused(start(MODEL_DIR=str(model_copy)), "ONNX Runtime cannot load model.onnx")


def test_a_setting_that_cannot_be_used() -> None:
    assert_refused(start(MAX_PIXELS="lots"), "MAX_PIXELS must be a whole number of pixels")


def test_the_classic_command_in_the_folder(tmp_path: Path, sample: bytes) -> None:
    """`cd function && uvicorn main:app --reload` serves."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "main:app", "--reload", "--port", str(port)],
            cwd=ROOT / "function",
            stdout=log,
            stderr=log,
        )
    try:
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport, timeout=60) as client:
            answer = client.post(f"http://127.0.0.1:{port}/", files={"file": sample})
        assert answer.status_code == 200
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.parametrize("prefix", ["", "lite0/v1", "lite0/v1/"])
def test_a_model_in_s3_is_fetched_at_start(
    s3: S3Client, bucket: str, prefix: str, tmp_path: Path, sample: bytes
) -> None:
    for file in MODEL.iterdir():
        key = f"{prefix.rstrip('/')}/{file.name}".lstrip("/")
        s3.upload_file(str(file), bucket, key)
    with serving(tmp_path / "log", MODEL_DIR=f"s3://{bucket}/{prefix}") as server:
        answer = httpx.post(server.url, files={"file": sample})
    assert answer.json()["predictions"][0]["label"] == SAMPLE_LABEL


def test_a_model_that_is_not_in_s3(bucket: str) -> None:
    assert_refused(start(MODEL_DIR=f"s3://{bucket}/nothing"), f"s3://{bucket}/nothing/model.json")


def test_an_s3_address_without_a_bucket() -> None:
    assert_refused(start(MODEL_DIR="s3://"), "write s3://bucket/prefix")


def test_boto3_is_imported_only_for_s3() -> None:
    code = "import main, sys; assert main.app; sys.exit('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "function", check=False)
    assert done.returncode == 0


def test_lambda_imports_fastapi_only_for_what_is_not_a_classification(sample: bytes) -> None:
    """Its import is two fifths of a cold start; uvicorn's `app` is a FastAPI all the same."""
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
    assert not {"prometheus_client", "uvicorn", "multiprocessing", "boto3"} & sys.modules.keys()
print(json.dumps(answers))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "function",
        env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "classifier"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[200, True, False], [200, True, True]]
    code = "import main, fastapi; assert isinstance(main.app, fastapi.FastAPI)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "function", check=True)


def test_the_model_starts_no_thread_and_writes_no_file(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would do both."""
    code = """
import os, numpy
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
import main
print(threads() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "function",
        env={**os.environ, "HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"
    assert list(tmp_path.rglob("*")) == []


def test_serving_writes_no_file_and_opens_no_connection(tmp_path: Path, sample: bytes) -> None:
    """Given an empty home and no temporary files, and photos small and large."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    places = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    with serving(tmp_path / "log", **places) as server:
        process = psutil.Process(server.process.pid)
        large = sample + bytes(8 * 1024 * 1024)  # a JPEG may be followed by anything
        with httpx.Client() as client:
            for body in (sample, large):
                assert client.post(server.url, files={"file": body}).status_code == 200
            writable = [each.path for each in process.open_files() if each.mode != "r"]
            connections = [
                each for each in process.net_connections() if each.status == psutil.CONN_ESTABLISHED
            ]
    assert set(writable) == {str(tmp_path / "log")}
    assert [each.laddr.port for each in connections] == [httpx.URL(server.url).port]
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []
