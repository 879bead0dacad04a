"""Imports ONNX image classifiers and serves them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from classifier.images import read_image
from classifier.model import read_artifact
from local.models import build, evaluate
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from tests.models.networks import CLASSES, SIZE, channels_last, grouped_rank_4, old_fixed_batch
from tests.support.pictures import photo
from tests.support.server import serving
from tests.support.wait import HANG_SECONDS

TORCHVISION = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]
LITE = ["--pixel-range", "255", "--mean", "127", "--std", "128"]
NAMES = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each class, with four crops of one of scikit-image's photos in each."""
    folder = tmp_path_factory.mktemp("photos")
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "retina.jpg"]
    for label, name in zip(NAMES, names, strict=True):
        (folder / label).mkdir()
        whole = photo(name)
        for number in range(4):
            left = 40 * number
            crop = whole.crop((left, left, left + 200, left + 200))
            crop.save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in NAMES))
    return path


def built(tmp_path: Path, photos: Path, labels: Path, model: Path, *options: str) -> Path:
    out = tmp_path / "served"
    given = {
        "--onnx": model,
        "--labels": labels,
        "--calibration": photos,
        "--size": SIZE,
        "--out": out,
        "--fp32": tmp_path / "fp32.onnx",
    }
    build.main([*(str(part) for pair in given.items() for part in pair), *options])
    return out


def run(model: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    output: NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
    return output


@pytest.mark.parametrize("options", [TORCHVISION, LITE], ids=["torchvision", "lite"])
@pytest.mark.parametrize(
    ("make", "layout", "layers", "batch"),
    [
        (old_fixed_batch, "nchw", 2, "N"),
        (grouped_rank_4, "nchw", 4, "N"),
        (channels_last, "nhwc", 2, "N"),
    ],
)
def test_build_then_evaluate(  # noqa: PLR0917
    make: Callable[[Path], Path],
    layout: str,
    layers: int,
    batch: str,
    options: list[str],
    tmp_path: Path,
    photos: Path,
    labels: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given someone's network, when it is built
    model = make(tmp_path / "net.onnx")
    out = built(tmp_path, photos, labels, model, "--layout", layout, *options)

    # then it keeps the service's contract
    artifact = read_artifact(str(out))
    assert [label.name for label in artifact.labels] == NAMES
    assert artifact.card.name == "net-int8"
    graph = onnx.load(out / "model.onnx").graph
    assert artifact.card.content["input"]["shape"] == [batch, SIZE, SIZE, 3]
    assert len(list(find_layers(graph))) == layers
    assert unsafe_layers(graph) == []
    noise = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    outputs = run(out / "model.onnx", noise)
    assert outputs.shape == (3, CLASSES)
    np.testing.assert_allclose(outputs.sum(1), 1, rtol=1e-5)

    # and it answers as the original does to normalized floats
    mean, std = (
        (np.array([127.0] * 3), np.array([128.0] * 3))
        if options is LITE
        else (255 * np.array([0.485, 0.456, 0.406]), 255 * np.array([0.229, 0.224, 0.225]))
    )
    floats = ((noise - mean) / std).astype(np.float32)
    original = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    for number in range(len(noise)):
        one = floats[number : number + 1]
        one = one if layout == "nhwc" else one.transpose(0, 3, 1, 2)
        raw = original.run(None, {"input": one})[0].reshape(1, -1)
        expected = raw if make is old_fixed_batch else softmax(raw)
        fp32 = run(tmp_path / "fp32.onnx", noise[number : number + 1])
        np.testing.assert_allclose(fp32, expected, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(outputs[number : number + 1], expected, atol=0.05)

    # and the evaluation's table is what the card then records
    evaluation = ["--images", str(photos), "--model", str(out)]
    evaluation += ["--fp32", str(tmp_path / "fp32.onnx")]
    evaluate.main([*evaluation, "--update-card"])
    evaluate.main(evaluation)
    assert "The card has the same figures." in capsys.readouterr().out
    assert card(out)["evaluation"]["photos"] == 20
    assert card(out)["evaluation"]["agreement"] >= 0.9


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max())
    output: NDArray[np.float32] = powers / powers.sum()
    return output


def card(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "model.json").read_bytes())
    return content


def test_integer_means_need_no_float_preprocessing(
    tmp_path: Path, photos: Path, labels: Path
) -> None:
    model = old_fixed_batch(tmp_path / "net.onnx")
    out = built(tmp_path, photos, labels, model, *LITE)
    nodes = list(onnx.load(out / "model.onnx").graph.node)
    assert nodes[0].op_type == "Transpose"
    readers = [node.op_type for node in nodes if nodes[0].output[0] in node.input]
    assert readers == ["DequantizeLinear"]
    assert not {"Cast", "Sub", "Mul", "BatchNormalization"} & {node.op_type for node in nodes}


def test_build_is_deterministic(tmp_path: Path, photos: Path, labels: Path) -> None:
    model = grouped_rank_4(tmp_path / "net.onnx")
    first = (built(tmp_path, photos, labels, model) / "model.onnx").read_bytes()
    second = (built(tmp_path, photos, labels, model) / "model.onnx").read_bytes()
    assert first == second


def test_outdated_card_exits_1(
    tmp_path: Path, photos: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a card without an evaluation
    out = built(tmp_path, photos, labels, grouped_rank_4(tmp_path / "net.onnx"))
    fp32 = str(tmp_path / "fp32.onnx")
    # when, then
    with pytest.raises(SystemExit) as exit_:
        evaluate.main(["--images", str(photos), "--model", str(out), "--fp32", fp32])
    assert exit_.value.code == 1
    assert "The card has other figures." in capsys.readouterr().out


def test_card_contains_no_paths(tmp_path: Path, photos: Path, labels: Path) -> None:
    out = built(tmp_path, photos, labels, grouped_rank_4(tmp_path / "net.onnx"))
    card = (out / "model.json").read_text()
    assert str(tmp_path) not in card
    assert str(photos) not in card


def test_imported_model_is_served(tmp_path: Path, photos: Path, labels: Path) -> None:
    """The service needs only this directory."""
    network = grouped_rank_4(tmp_path / "net.onnx")
    directory = built(tmp_path, photos, labels, network, *TORCHVISION, "--name", "insects")
    image = (photos / "cat" / "0.png").read_bytes()
    expected = run(directory / "model.onnx", read_image(image, SIZE)[None])[0]

    with serving(tmp_path / "log", MODEL_DIR=str(directory)) as server:
        output = httpx.post(server.url, files={"file": image}, timeout=HANG_SECONDS).json()

    assert output["model"] == "insects"
    assert [prediction["wnid"] for prediction in output["predictions"]] == [None] * CLASSES
    by_label = {
        prediction["label"]: prediction["probability"] for prediction in output["predictions"]
    }
    assert [by_label[name] for name in NAMES] == pytest.approx(expected.tolist(), abs=1e-6)
