"""A temperature makes probabilities agree with how often they are right, and changes no class."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.artifact import parse_labels
from local.common.cli import UsageError
from local.models import build, confidence, temperature
from local.models.accuracy import probabilities
from local.models.confidence import LabelledLogits
from local.models.graph.temperature import class_logits, with_temperature, without_temperature
from local.models.temperature import measure
from tests.models.networks import CLASSES, SIZE, grouped_rank_4, old_fixed_batch, small_convolution
from tests.support.paths import SHIPPED_MODEL

PHOTOS = 60
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Photos of one colour each, with noise."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (PHOTOS, 1, 1, 3))
    noise = random.integers(-40, 41, (PHOTOS, SIZE, SIZE, 3))
    made: Pixels = np.clip(colours + noise, 0, 255).astype(np.uint8)
    return made


def drawn(count: int, sharpness: float, *, sigmoid: bool = False) -> LabelledLogits:
    """Photos whose classes have the probabilities of the logits, which are then multiplied."""
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (count, CLASSES))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = np.array([random.choice(CLASSES, p=each) for each in chances])
    return LabelledLogits(sharpness * logits, classes, sigmoid)


@pytest.mark.parametrize("sharpness", [0.4, 1, 3])
def test_fit_finds_the_factor_of_the_logits(sharpness: float) -> None:
    photos = drawn(4000, sharpness)
    fitted = confidence.fit_temperature(photos, np.ones(4000))
    assert fitted == pytest.approx(sharpness, rel=0.05)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_fit_is_the_minimum_of_the_loss(sigmoid: bool) -> None:
    photos = drawn(300, 2, sigmoid=sigmoid)
    weight = np.random.default_rng(2).random(300)

    def loss(t: float) -> float:
        scaled = photos.logits / t
        one_hot = np.eye(CLASSES)[photos.classes]
        if sigmoid:
            losses = np.logaddexp(0, scaled) - one_hot * scaled
        else:
            losses = np.log(np.exp(scaled).sum(1, keepdims=True)) * one_hot - one_hot * scaled
        return float(weight @ losses.sum(1))

    fitted = confidence.fit_temperature(photos, weight)
    assert loss(fitted) < min(loss(0.99 * fitted), loss(1.01 * fitted))


def test_calibration_error_is_the_distance_of_probability_and_share() -> None:
    top = np.array([0.95, 0.95, 0.5, 0.5])
    right = np.array([True, False, True, True])
    assert confidence.calibration_error(top, right, np.ones(4)) == pytest.approx(0.475)
    weight = np.array([1.0, 1, 0, 0])
    assert confidence.calibration_error(top, right, weight) == pytest.approx(0.45)


def test_exact_probabilities_have_an_error_that_falls_with_the_number_of_photos() -> None:
    few, many = (
        confidence.error_of_exact(np.linspace(0.3, 0.99, count), np.ones(count))
        for count in (100, 2500)
    )
    assert 0 < many < few / 3


def test_weights_give_the_accuracy() -> None:
    right = np.arange(50) < 45
    weight = confidence.weights(right, 0.7)
    assert weight @ right / weight.sum() == pytest.approx(0.7)
    assert weight.mean() == pytest.approx(1)


def test_threshold_is_the_lowest_hundredth_with_the_precision() -> None:
    top = np.repeat([0.305, 0.605, 0.905], 40)
    right = np.tile([True] * 39 + [False], 3)
    right[:40:2] = False
    assert confidence.find_threshold(top, right, np.ones(120)) == 0.31
    assert confidence.find_threshold(top, ~right, np.ones(120)) is None
    assert confidence.find_threshold(top[-19:], right[-20:-1], np.ones(19)) is None


def test_validation_fits_without_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = drawn(100, 2)
    monkeypatch.setattr(confidence, "REPEATS", 1)
    top = confidence.cross_validate(photos, None).top
    whole = confidence.fit_temperature(photos, np.ones(100))
    assert top.shape == (1, 100)
    assert len(np.unique(top[0] - photos.top_probability(whole) > 0)) == 2
    assert top[0] == pytest.approx(photos.top_probability(whole), abs=0.1)


def test_figures_improve_where_the_probabilities_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "REPEATS", 2)
    photos = drawn(800, 0.4)
    weight = np.ones(800)
    fitted = confidence.fit_temperature(photos, weight)
    result = measure(photos, weight, fitted, confidence.cross_validate(photos, None))
    assert result["ece"]["before"] > 0.15
    assert result["ece"]["after"] < 0.06
    assert result["first_class"]["before"] < 0.75 * result["first_class"]["right"]
    assert result["first_class"]["after"] == pytest.approx(result["first_class"]["right"], abs=0.04)
    assert result["precision_validated"] == pytest.approx(0.95, abs=0.05)


NETWORKS: dict[str, Callable[[Path], Path]] = {
    "logits": grouped_rank_4,
    "its own softmax": old_fixed_batch,
    "sigmoids": lambda path: small_convolution(path, ("Sigmoid", {})),
    "one logit": lambda path: small_convolution(path, outputs=1),
    "one sigmoid": lambda path: small_convolution(path, ("Sigmoid", {}), outputs=1),
    "float16": lambda path: small_convolution(path, ("Softmax", {}), half="everywhere"),
}
OPTIONS = {"one logit": ("--activation", "sigmoid")}


def save(folder: Path, pixels: Pixels) -> Path:
    folder.mkdir()
    for number, photo in enumerate(pixels):
        Image.fromarray(photo).save(folder / f"{number}.png")
    return folder


def built(folder: Path, network: str, pixels: Pixels) -> Path:
    """The folder of a model that the build made of the network."""
    options = OPTIONS.get(network, ())
    count = 2 if network.startswith("one ") else CLASSES
    (folder / "names.txt").write_text("".join(f"class {number}\n" for number in range(count)))
    build.main(
        [
            *("--onnx", str(NETWORKS[network](folder / "net.onnx"))),
            *("--labels", str(folder / "names.txt")),
            *("--calibration", str(save(folder / "calibration", pixels[:10]))),
            *("--size", str(SIZE), "--crop-fraction", "1", *options),
            *("--out", str(folder / "model"), "--fp32", str(folder / "fp32.onnx")),
        ]
    )
    return folder / "model"


def run(model: onnx.ModelProto, pixels: Pixels) -> NDArray[np.float32]:
    return probabilities(model.SerializeToString(), pixels, "Running")


@pytest.mark.parametrize("network", NETWORKS)
def test_temperature_divides_the_logits_of_every_kind_of_network(
    network: str, tmp_path: Path, pixels: Pixels
) -> None:
    model = onnx.load(built(tmp_path, network, pixels) / "model.onnx")
    warm = with_temperature(model, 2)
    before, after = run(model, pixels), run(warm, pixels)
    odds = before if network != "sigmoids" else before / (1 - before)
    expected = odds**0.5
    expected /= expected.sum(1, keepdims=True) if network != "sigmoids" else 1 + expected
    assert after == pytest.approx(expected, abs=2e-3 if network == "float16" else 1e-5)
    logits, sigmoid = class_logits(warm, pixels)
    assert sigmoid == (network == "sigmoids")
    assert logits.shape == before.shape
    photos = LabelledLogits(logits, np.zeros(PHOTOS, np.intp), sigmoid)
    assert photos.top_probability(2) == pytest.approx(after.max(1), abs=2e-3)


def test_another_temperature_replaces_the_first(tmp_path: Path, pixels: Pixels) -> None:
    model = onnx.load(built(tmp_path, "logits", pixels) / "model.onnx")
    twice = with_temperature(with_temperature(model, 3), 0.7)
    assert twice == with_temperature(model, 0.7)
    assert without_temperature(twice) == model


def labelled(folder: Path, model: Path, pixels: Pixels) -> Path:
    """The photos in folders named by class: the model's own for all but every fifth."""
    found = run(onnx.load(model / "model.onnx"), pixels).argmax(1)
    found[::5] = (found[::5] + 1) % CLASSES
    for number, (photo, index) in enumerate(zip(pixels, found, strict=True)):
        (folder / str(index)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / str(index) / f"{number}.png")
    return folder


def test_temperature_of_a_model_with_a_class_map_can_be_replaced() -> None:
    """Its branch uses constants of the graph."""
    shipped = onnx.load(SHIPPED_MODEL / "model.onnx")
    again = with_temperature(shipped, 0.5)
    onnx.checker.check_model(again, full_check=True)
    names = {constant.name for constant in without_temperature(shipped).graph.initializer}
    assert "class_map.weights_shape" in names
    assert {constant.name for constant in shipped.graph.initializer} - names == {
        "inverse_temperature"
    }


def test_command_writes_graph_and_card_and_is_repeatable(
    tmp_path: Path, pixels: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    model = built(tmp_path, "logits", pixels)
    photos = labelled(tmp_path / "photos", model, pixels)
    plain = onnx.load(model / "model.onnx")
    arguments = ["--images", str(photos), "--model", str(model)]
    temperature.main([*arguments, "--accuracy", "0.7", "--json", str(tmp_path / "bins.json")])
    assert "temperature" in capsys.readouterr().out
    first = (model / "model.json").read_bytes(), (model / "model.onnx").read_bytes()
    found: dict[str, Any] = json.loads(first[0])["confidence"]
    assert found["photos"] == PHOTOS
    assert found["first_class"]["right"] == pytest.approx(0.7)
    assert found["weighted_to_accuracy"] == 0.7
    assert found["command"].endswith("--split all --accuracy 0.7")
    assert onnx.load_from_string(first[1]) == with_temperature(plain, found["temperature"])
    bins = json.loads((tmp_path / "bins.json").read_text())
    assert sum(each["share"] for each in bins["after"]) == pytest.approx(1, abs=0.01)

    temperature.main(arguments)
    unweighted = json.loads((model / "model.json").read_bytes())["confidence"]
    assert unweighted["temperature"] < found["temperature"]
    temperature.main([*arguments, "--accuracy", "0.7"])
    assert ((model / "model.json").read_bytes(), (model / "model.onnx").read_bytes()) == first


def refusal(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        temperature.main(list(map(str, arguments)))
    assert ended.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_photos_that_cannot_tell_are_refused(
    tmp_path: Path, pixels: Pixels, capfd: pytest.CaptureFixture[str]
) -> None:
    model = built(tmp_path, "logits", pixels)
    before = (model / "model.json").read_bytes()
    few = labelled(tmp_path / "few", model, pixels[:10])
    options = ("--model", model, "--images")
    assert "These photos calibrated the quantization" in refusal(capfd, *options, few)
    few = labelled(tmp_path / "other", model, pixels[10:20])
    assert "Too few photos of known classes: 10." in refusal(capfd, *options, few)
    names = parse_labels((model / "labels.txt").read_bytes())
    top = run(onnx.load(model / "model.onnx"), pixels).argmax(1)
    for number, (photo, index) in enumerate(zip(pixels, top, strict=True)):
        (tmp_path / "easy" / names[index].name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(tmp_path / "easy" / names[index].name / f"{number}.png")
    assert "every photo is right" in refusal(capfd, *options, tmp_path / "easy")
    line = refusal(capfd, *options, tmp_path / "easy", "--accuracy", "1")
    assert "not more than 0 and less than 1" in line
    assert (model / "model.json").read_bytes() == before


def test_network_with_other_probabilities_is_refused(tmp_path: Path) -> None:
    small_convolution(tmp_path / "net.onnx", ("Relu", {}))
    model = onnx.load(tmp_path / "net.onnx")
    with pytest.raises(UsageError, match="no softmax or sigmoid"):
        with_temperature(model, 2)
