"""Model files and their card: where they are read from, and which are refused at start."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from classifier.artifact import ArtifactError
from classifier.model import load_model, read_artifact
from tests.support.aws_profile import ASKING, UNREADABLE, profile_environment
from tests.support.paths import ROOT, SHIPPED_MODEL
from tests.support.pictures import SAMPLE_LABEL
from tests.support.scripts import script
from tests.support.server import serving, start_refused


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model"))


def change_card(model: Path, **changes: object) -> None:
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**card, **changes}))


def test_invalid_onnx_graph_refuses_to_start(model_copy: Path) -> None:
    (model_copy / "model.onnx").write_bytes(b"not a graph")
    change_card(model_copy, sha256=hashlib.sha256(b"not a graph").hexdigest())
    line = start_refused(MODEL_DIR=str(model_copy))
    assert "ONNX Runtime cannot load model.onnx" in line


def assert_refused(location: str | Path, message: str, *, warm_up: bool = True) -> None:
    """The model at `location` is refused with a message of one line."""
    with pytest.raises(ArtifactError) as refused:
        load_model(str(location), warm_up=warm_up)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_graph_with_another_checksum_refuses_to_start(model_copy: Path) -> None:
    graph = bytearray((model_copy / "model.onnx").read_bytes())
    graph[-1] ^= 1
    (model_copy / "model.onnx").write_bytes(graph)
    assert_refused(model_copy, "is not the file that model.json describes")


def test_directory_without_a_model_refuses_to_start(tmp_path: Path) -> None:
    assert_refused(tmp_path, "MODEL_DIR must be a directory that holds")


@pytest.mark.parametrize(
    "card", ["", "{}", "[]", '{"name": "x", "sha256": "", "preprocessing": 1}']
)
def test_invalid_model_card_refuses_to_start(model_copy: Path, card: str) -> None:
    (model_copy / "model.json").write_text(card)
    assert_refused(model_copy, "is not a model card")


@pytest.mark.parametrize(
    "changes",
    [
        {"confidence": "high"},
        {"confidence": {"threshold": float("nan")}},
        {"output": ["softmax"]},
        {"name": None},
        {"name": "half of a pair: \ud83d"},
        {"preprocessing": []},
        {"preprocessing": {"size": float("inf")}},
        {"notes": float("nan")},
    ],
    ids=str,
)
def test_model_card_with_an_invalid_member_refuses_to_start(
    model_copy: Path, changes: dict[str, object]
) -> None:
    change_card(model_copy, **changes)
    assert_refused(model_copy, "is not a model card")


def test_deeply_nested_model_card_refuses_to_start(model_copy: Path) -> None:
    (model_copy / "model.json").write_text("[" * 100_000)
    assert_refused(model_copy, "is not a model card")


@pytest.mark.parametrize("output", [None, {}])
def test_model_card_without_an_activation_has_softmax(model_copy: Path, output: object) -> None:
    change_card(model_copy, output=output)
    assert load_model(str(model_copy)).card.activation == "softmax"


@pytest.mark.parametrize("field", ["interpolation", "resize"])
def test_unknown_preprocessing_refuses_to_start(model_copy: Path, field: str) -> None:
    preprocessing = json.loads((model_copy / "model.json").read_text())["preprocessing"]
    change_card(model_copy, preprocessing={**preprocessing, field: "magic"})
    assert_refused(model_copy, f"{field} must be one of")


@pytest.mark.parametrize("warm_up", [True, False])
def test_too_few_labels_refuse_to_start(model_copy: Path, warm_up: bool) -> None:
    (model_copy / "labels.txt").write_text("cat\ndog\n")
    assert_refused(model_copy, "1000 classes, its labels file has 2 lines", warm_up=warm_up)


def test_missing_model_in_s3_refuses_to_start(bucket: str) -> None:
    assert_refused(f"s3://{bucket}/nothing", f"s3://{bucket}/nothing/model.json")


def test_s3_url_without_a_bucket_refuses_to_start() -> None:
    assert_refused("s3://", "write s3://bucket/prefix")


def test_invalid_setting_of_aws_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nowhere")
    assert_refused("s3://b/x", "Cannot fetch s3://b/x/model.json: Invalid endpoint: nowhere")


@pytest.mark.parametrize(("profile", "reason"), UNREADABLE)
def test_credentials_that_cannot_be_read_refuse_to_start(
    profile: str, reason: str, tmp_path: Path
) -> None:
    environment = profile_environment(tmp_path, profile)
    assert reason in start_refused(MODEL_DIR="s3://b/x", **environment)


def test_profile_that_asks_for_a_code_refuses_to_start(tmp_path: Path) -> None:
    profile, reason = ASKING
    environment = profile_environment(tmp_path, profile)
    environment["MODEL_DIR"] = "s3://b/x"
    done = script("-c", "import main", cwd=ROOT / "function", environment=environment)
    assert done.returncode != 0
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def upload_model(s3: S3Client, bucket: str, prefix: str) -> None:
    for file in SHIPPED_MODEL.iterdir():
        s3.upload_file(str(file), bucket, f"{prefix}{file.name}")


@pytest.mark.parametrize("prefix", ["", "lite0/v1", "lite0/v1/"])
def test_model_in_s3_equals_the_local_one(s3: S3Client, bucket: str, prefix: str) -> None:
    upload_model(s3, bucket, f"{prefix.rstrip('/')}/".lstrip("/"))
    assert read_artifact(f"s3://{bucket}/{prefix}") == read_artifact(str(SHIPPED_MODEL))


def test_model_in_s3_is_downloaded_at_start(
    s3: S3Client, bucket: str, tmp_path: Path, sample: bytes
) -> None:
    upload_model(s3, bucket, "lite0/v1/")
    with serving(tmp_path / "log", MODEL_DIR=f"s3://{bucket}/lite0/v1") as server:
        response = server.client.post("/", files={"file": sample})
    assert response.json()["predictions"][0]["label"] == SAMPLE_LABEL
