"""Class activation maps: the networks that get one, and that each map sums up to its logit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifier.artifact import CLASS_MAP, EXPLAIN
from classifier.model import load_model
from local.models import build
from local.models.graph.class_map import ClassMap, add_class_map
from local.models.graph.service_io import (
    LOGITS,
    PIXELS,
    PROBABILITIES,
    Normalization,
    add_service_io,
)
from local.models.graph.sessions import batches
from local.models.sources.import_onnx import import_onnx
from tests.models.networks import (
    CLASSES,
    SIZE,
    Network,
    channels_last,
    grouped_rank_4,
    small_convolution,
)
from tests.support.pictures import photo

Array = NDArray[Any]
PIXELS_OF_NOISE = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
CHANNELS = 8


def features(*, nhwc: bool = False) -> Network:
    """Eight channels of 8 x 8 features."""
    net = Network(6)
    net.add("Conv", net.weights(CHANNELS, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    net.add("Relu")
    if nhwc:
        net.add("Transpose", perm=[0, 2, 3, 1])
    return net


def saved(net: Network, path: Path, *, outputs: int = CLASSES, opset: int = 17) -> Path:
    shape = ["N", 3, SIZE, SIZE]
    return net.save(path, input_shape=shape, output_shape=["N", outputs], opset=opset)


def gemm(path: Path) -> Path:
    net = features()
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Gemm", net.weights(CLASSES, CHANNELS), net.weights(CLASSES), transB=1)
    return saved(net, path)


def matmul_and_add(path: Path) -> Path:
    """As Keras's networks end: features [N, H, W, C], a mean and a dense layer."""
    net = features(nhwc=True)
    net.add("ReduceMean", axes=[1, 2], keepdims=0)
    net.add("MatMul", net.weights(CHANNELS, CLASSES))
    net.add("Add", net.weights(CLASSES))
    return saved(net, path)


def mean_and_dropout(path: Path) -> Path:
    """As timm's networks end, with the axes as an input."""
    net = features()
    net.add("ReduceMean", np.array([-1, -2], np.int64), keepdims=1)
    net.add("Flatten")
    net.add("Dropout")
    net.add("Gemm", net.weights(CHANNELS, CLASSES), net.weights(CLASSES))
    return saved(net, path, opset=18)


def convolution(path: Path) -> Path:
    """A layer before the dimensions of 1 are removed."""
    net = features()
    net.add("GlobalAveragePool")
    net.add("Conv", net.weights(CLASSES, CHANNELS, 1, 1), net.weights(CLASSES))
    net.add("Flatten")
    return saved(net, path)


def hidden_layer(path: Path) -> Path:
    net = features()
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Gemm", net.weights(CHANNELS, CHANNELS), net.weights(CHANNELS), transB=1)
    net.add("Relu")
    net.add("Gemm", net.weights(CLASSES, CHANNELS), net.weights(CLASSES), transB=1)
    return saved(net, path)


def max_pooling(path: Path) -> Path:
    net = features()
    net.add("GlobalMaxPool")
    net.add("Flatten")
    net.add("Gemm", net.weights(CLASSES, CHANNELS), net.weights(CLASSES), transB=1)
    return saved(net, path)


def served(path: Path, layout: Any = "nchw") -> onnx.ModelProto:
    """The float network at `path` with the service's input and output."""
    normalization = Normalization(SIZE, (127.0,) * 3, (128.0,) * 3, layout)
    network, activation = import_onnx(path, normalization)
    return add_service_io(network, normalization, activation)


def run(model: onnx.ModelProto, *outputs: str, **inputs: Array) -> list[Array]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(list(outputs), inputs)
    return found


@pytest.mark.parametrize("make", [gemm, matmul_and_add, mean_and_dropout, convolution])
def test_mean_of_the_map_differs_from_the_logit_by_the_bias(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    # given
    model = served(make(tmp_path / "net.onnx"))
    # when
    mapped, class_map = add_class_map(model, PIXELS_OF_NOISE)
    # then
    assert class_map == ClassMap(SIZE // 2, SIZE // 2, 0.0)
    mapped.graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None))
    names = (PROBABILITIES, LOGITS, CLASS_MAP)
    given = {PIXELS: PIXELS_OF_NOISE, EXPLAIN: np.array(True)}
    probabilities, logits, maps = run(mapped, *names, **given)
    assert maps.shape == (4, SIZE // 2, SIZE // 2)
    assert np.array_equal(probabilities, run(model, PROBABILITIES, pixels=PIXELS_OF_NOISE)[0])
    top = probabilities.argmax(1)
    biases = biases_of(model)
    found = logits[range(4), top] - maps.mean((1, 2))
    np.testing.assert_allclose(found, biases[top], atol=1e-4)
    assert np.ptp(maps) > 1


def biases_of(model: onnx.ModelProto) -> Array:
    """[CLASSES]: the only constant of that shape"""
    constants = map(numpy_helper.to_array, model.graph.initializer)
    (found,) = (values for values in constants if values.shape == (CLASSES,))
    return found


def test_model_has_no_map_unless_asked_for(tmp_path: Path) -> None:
    mapped, _ = add_class_map(served(gemm(tmp_path / "net.onnx")), PIXELS_OF_NOISE)
    (maps,) = run(mapped, CLASS_MAP, pixels=PIXELS_OF_NOISE)
    assert len(maps) == 0


@pytest.mark.parametrize("make", [hidden_layer, max_pooling, grouped_rank_4, channels_last])
def test_network_with_another_end_stays_as_it_is(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    layout = "nhwc" if make is channels_last else "nchw"
    model = served(make(tmp_path / "net.onnx"), layout)
    assert add_class_map(model, PIXELS_OF_NOISE) == (model, None)


def test_both_classes_of_a_binary_network_have_a_map(tmp_path: Path) -> None:
    model = served(small_convolution(tmp_path / "net.onnx", outputs=1))
    mapped, class_map = add_class_map(model, PIXELS_OF_NOISE)
    assert class_map
    mapped.graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None))
    # given photos of both classes
    spread = np.linspace(0, 255, 12).astype(np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(spread, (12, SIZE, SIZE, 3)).copy()
    names = (PROBABILITIES, LOGITS, CLASS_MAP)
    probabilities, logits, maps = run(mapped, *names, pixels=pixels, explain=np.array(True))
    top = probabilities.argmax(1)
    assert set(top) == {0, 1}
    # then the map is of the logit of that class: minus the logit of the other one
    biases = logits[:, 0] - np.where(top == 1, 1, -1) * maps.mean((1, 2))
    np.testing.assert_allclose(biases, biases[0], atol=1e-4)


@pytest.mark.parametrize(("make", "explains"), [(gemm, True), (hidden_layer, False)])
def test_build_writes_the_map_to_graph_and_card(
    make: Callable[[Path], Path],
    explains: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given
    folder, names = tmp_path / "photos", tmp_path / "names.txt"
    folder.mkdir()
    for name in ("astronaut.png", "coffee.png", "chelsea.png"):
        photo(name).resize((60, 40)).save(folder / name)
    names.write_text("ant\nbee\ncat\ndog\neel\n")
    out, fp32 = tmp_path / "served", tmp_path / "fp32.onnx"
    given = ["--onnx", make(tmp_path / "net.onnx"), "--labels", names, "--calibration", folder]
    # when
    build.main([*map(str, given), "--size", str(SIZE), "--out", str(out), "--fp32", str(fp32)])
    # then
    card = json.loads((out / "model.json").read_bytes())
    model = load_model(str(out))
    assert model.explains == explains == ("explanation" in card)
    printed = capsys.readouterr().out
    if not explains:
        assert "Class activation map: none, so no ?explain=1" in printed
        return
    assert "Class activation map: 8 x 8" in printed
    assert card["explanation"]["grid"] == [8, 8]
    assert 0 < card["explanation"]["tolerance"] < 0.1
    _, rows = model.predict_and_explain(PIXELS_OF_NOISE[0], 1)
    assert np.shape(rows) == (8, 8)


def test_logits_of_a_model_with_a_map_can_be_read(tmp_path: Path) -> None:
    """Without the branch, the input `explain` is not needed either."""
    plain = served(gemm(tmp_path / "net.onnx"))
    mapped, found = add_class_map(plain, PIXELS_OF_NOISE)
    assert found is not None
    for one, other in zip(
        batches(mapped, {LOGITS: TensorProto.FLOAT}, PIXELS_OF_NOISE),
        batches(plain, {LOGITS: TensorProto.FLOAT}, PIXELS_OF_NOISE),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
