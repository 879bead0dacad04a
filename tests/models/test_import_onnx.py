"""Imports ONNX image classifiers and serves them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from classifier.images import read_image
from classifier.model import load_model, read_artifact
from local.models import build, evaluate
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from tests.models.networks import (
    CLASSES,
    SIZE,
    channels_last,
    grouped_rank_4,
    old_fixed_batch,
    small_convolution,
)
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
        "--min-agreement": 0,  # random weights decide by small differences
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
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    output: NDArray[np.float32] = powers / powers.sum(-1, keepdims=True)
    return output


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def same(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return outputs


def pair(positive: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probabilities of the negative and of the positive class."""
    return np.stack([1 - positive.ravel(), positive.ravel()], axis=1)


def pair_of_logit(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return pair(sigmoid(logits))


SIGMOID = ("Sigmoid", dict[str, Any]())
HARD_SIGMOID = ("HardSigmoid", dict[str, Any]())
SOFTMAX = ("Softmax", {"axis": 1})
SOFTMAX_IN_PARTS = [("LogSoftmax", {"axis": 1}), ("Exp", dict[str, Any]())]
SQUEEZE = ("Squeeze", dict[str, Any]())


@pytest.mark.parametrize(
    ("ends", "outputs", "shape", "options", "expected"),
    [
        ([], 5, None, [], softmax),
        ([], 5, None, ["--softmax", "no"], softmax),
        ([SOFTMAX], 5, None, [], same),
        ([SOFTMAX], 5, None, ["--activation", "softmax"], same),
        (SOFTMAX_IN_PARTS, 5, None, [], same),
        (SOFTMAX_IN_PARTS, 5, None, ["--softmax", "yes"], same),
        ([SIGMOID], 5, None, [], same),
        ([SIGMOID], 5, None, ["--activation", "none"], same),
        ([], 5, None, ["--activation", "sigmoid"], sigmoid),
        ([HARD_SIGMOID], 5, None, ["--activation", "none"], same),
        ([], 1, None, [], pair_of_logit),
        ([SIGMOID], 1, None, [], pair),
        ([HARD_SIGMOID], 1, None, ["--activation", "none"], pair),
        ([SQUEEZE], 1, ["batch"], [], pair_of_logit),
        ([SQUEEZE, SIGMOID], 1, ["batch"], [], pair),
        ([SIGMOID, SQUEEZE], 1, ["batch"], [], pair),
    ],
)
def test_probabilities_follow_from_the_end_of_the_network(  # noqa: PLR0917
    ends: list[tuple[str, dict[str, Any]]],
    outputs: int,
    shape: list[Any] | None,
    options: list[str],
    expected: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    tmp_path: Path,
    photos: Path,
) -> None:
    # given a network with this end, and names of its classes
    network = small_convolution(tmp_path / "net.onnx", *ends, outputs=outputs, output_shape=shape)
    names = tmp_path / "names.txt"
    names.write_text("no\nyes\n" if outputs == 1 else "\n".join(NAMES))
    # when it is built
    out = built(tmp_path, photos, names, network, *options)
    # then the probabilities are those that numpy computes from its output
    floats = noise().transpose(0, 3, 1, 2).astype(np.float32) / 255
    raw = [original_output(network, image) for image in floats]
    wanted = expected(np.stack(raw))
    np.testing.assert_allclose(run(tmp_path / "fp32.onnx", noise()), wanted, rtol=1e-4, atol=1e-6)
    model = load_model(str(out))
    served = np.stack([model.probabilities(image) for image in noise()])
    np.testing.assert_allclose(served, wanted, atol=0.02)
    assert card(out)["output"]["classes"] == max(outputs, 2)


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def original_output(model: Path, image: NDArray[Any]) -> NDArray[np.float32]:
    """Of one image, as a vector of one element per output."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    output: NDArray[np.float32] = session.run(None, {"input": image[None]})[0].astype(np.float32)
    return output.ravel()


@pytest.mark.parametrize(
    ("ends", "activation", "in_card"), [([], "softmax", None), ([SIGMOID], "sigmoid", "sigmoid")]
)
def test_the_activation_is_printed_and_in_the_card(  # noqa: PLR0917
    ends: list[tuple[str, dict[str, Any]]],
    activation: str,
    in_card: str | None,
    tmp_path: Path,
    photos: Path,
    labels: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = built(tmp_path, photos, labels, small_convolution(tmp_path / "net.onnx", *ends))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("activation")]
    assert line.split(maxsplit=2) == ["activation", activation, "output of net.onnx"]
    assert card(out)["output"].get("activation") == in_card


def test_binary_models_are_evaluated(tmp_path: Path, photos: Path) -> None:
    # given a model of one output, and photos in folders of its two class names
    names = tmp_path / "names.txt"
    names.write_text("ant\nbee\n")
    network = small_convolution(tmp_path / "net.onnx", SIGMOID, outputs=1)
    out = built(tmp_path, photos, names, network)
    # when it is evaluated
    arguments = ["--images", str(photos), "--model", str(out), "--update-card"]
    evaluate.main([*arguments, "--fp32", str(tmp_path / "fp32.onnx")])
    # then the photos of the two classes count
    assert card(out)["evaluation"]["photos"] == 8


def test_logits_before_reshaping_stay_floats(tmp_path: Path, photos: Path) -> None:
    # given a network that reshapes its logits
    network = small_convolution(tmp_path / "net.onnx", SQUEEZE, outputs=1, output_shape=["batch"])
    names = tmp_path / "names.txt"
    names.write_text("no\nyes\n")
    # when it is quantized
    graph = onnx.load(built(tmp_path, photos, names, network) / "model.onnx").graph
    # then nothing rounds the output of the last layer
    (gemm,) = [node for node in graph.node if node.op_type == "Gemm"]
    (reader,) = [node for node in graph.node if gemm.output[0] in node.input]
    assert reader.op_type != "QuantizeLinear"


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("options", [TORCHVISION, LITE], ids=["torchvision", "lite"])
def test_bgr_networks_get_blue_first(
    layout: str, options: list[str], tmp_path: Path, photos: Path, labels: Path
) -> None:
    # given a network that was trained on BGR
    network = small_convolution(tmp_path / "net.onnx", layout=layout)
    extra = ["--layout", layout, "--colour", "bgr", *options]
    # when it is built
    out = built(tmp_path, photos, labels, network, *extra)
    # then it sees the channels in reverse, with their own mean and deviation
    mean, std = (
        (127.0, 128.0)
        if options is LITE
        else (255 * np.array([0.485, 0.456, 0.406]), 255 * np.array([0.229, 0.224, 0.225]))
    )
    floats = ((noise() - mean) / std).astype(np.float32)[..., ::-1]
    floats = floats if layout == "nhwc" else floats.transpose(0, 3, 1, 2)
    wanted = softmax(np.stack([original_output(network, image) for image in floats]))
    np.testing.assert_allclose(run(tmp_path / "fp32.onnx", noise()), wanted, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(run(out / "model.onnx", noise()), wanted, atol=0.05)
    # and another order of the channels gives other probabilities
    turned = run(out / "model.onnx", np.ascontiguousarray(noise()[..., ::-1]))
    assert np.abs(turned - wanted).max() > 0.05


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_free_height_and_width_become_the_size(
    layout: str, tmp_path: Path, photos: Path, labels: Path
) -> None:
    network = small_convolution(tmp_path / "net.onnx", layout=layout, free_size=True)
    out = built(tmp_path, photos, labels, network, "--layout", layout)
    floats = noise().astype(np.float32) / 255
    floats = floats if layout == "nhwc" else floats.transpose(0, 3, 1, 2)
    wanted = softmax(np.stack([original_output(network, image) for image in floats]))
    np.testing.assert_allclose(run(out / "model.onnx", noise()), wanted, atol=0.02)
    assert card(out)["input"]["shape"] == ["N", SIZE, SIZE, 3]


@pytest.mark.parametrize("half", ["inside", "everywhere"])
@pytest.mark.parametrize("end", [SOFTMAX, SIGMOID], ids=["softmax", "sigmoid"])
def test_float16_networks_become_float32(
    half: Literal["inside", "everywhere"],
    end: tuple[str, dict[str, Any]],
    tmp_path: Path,
    photos: Path,
    labels: Path,
) -> None:
    # given a float16 export
    network = small_convolution(tmp_path / "net.onnx", end, half=half)
    # when it is built
    out = built(tmp_path, photos, labels, network)
    # then it has the same probabilities, to float16's accuracy, and is quantized as others are
    kind = np.float16 if half == "everywhere" else np.float32
    floats = (noise().transpose(0, 3, 1, 2) / 255).astype(kind)
    wanted = np.stack([original_output(network, image) for image in floats])
    np.testing.assert_allclose(run(tmp_path / "fp32.onnx", noise()), wanted, atol=2e-3)
    np.testing.assert_allclose(run(out / "model.onnx", noise()), wanted, atol=0.02)
    graph = onnx.load(out / "model.onnx").graph
    assert len(list(find_layers(graph))) == 2


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
