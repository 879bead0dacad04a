"""Models that get the whole photo, squashed to a square."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.classifier import Classifier
from classifier.images import read_image
from classifier.model import load_model
from classifier.telemetry.metrics import Metrics
from local.models import build
from local.models.card import preprocessing_of
from local.models.photos import Preprocessing
from tests.models.networks import SIZE, small_convolution
from tests.support.pictures import encode, photo

NAMES = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, file in zip(NAMES, ["astronaut.png", "chelsea.png", "coffee.png"], strict=False):
        (folder / name).mkdir()
        photo(file).resize((300, 100)).save(folder / name / file)
    return folder


def built(tmp_path: Path, photos: Path, *options: str) -> Path:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    small_convolution(tmp_path / "net.onnx")
    given = {
        "--onnx": tmp_path / "net.onnx",
        "--labels": tmp_path / "names.txt",
        "--calibration": photos,
        "--size": SIZE,
        "--out": tmp_path / "served",
        "--fp32": tmp_path / "fp32.onnx",
    }
    build.main([*(str(part) for pair in given.items() for part in pair), *options])
    return tmp_path / "served"


def card(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "model.json").read_bytes())
    return content


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], Preprocessing(SIZE, 0.875)),
        (["--resize", "squash"], Preprocessing(SIZE, 1.0, resize="squash")),
        (
            ["--resize", "squash", "--crop-fraction", "0.5"],
            Preprocessing(SIZE, 0.5, resize="squash"),
        ),
    ],
)
def test_card_and_service_have_the_resize_of_the_build(
    options: list[str], expected: Preprocessing, tmp_path: Path, photos: Path
) -> None:
    # given a model that is built for this resize
    out = built(tmp_path, photos, *options)
    # then its card says so
    assert preprocessing_of(card(out)) == expected
    assert ("resize" in card(out)["preprocessing"]) == (expected.resize != "crop")
    # and the service classifies the pixels that it gives
    data = encode(photo().crop((0, 0, 440, 110)), "PNG")
    pixels = read_image(
        data, SIZE, expected.crop_fraction, interpolation="bicubic", resize=expected.resize
    )
    model = load_model(str(out))
    answer = Classifier(model, Metrics()).classify(data, 5).predictions
    found = {one["index"]: one["probability"] for one in answer}
    wanted = model.probabilities(pixels)
    np.testing.assert_allclose([found[index] for index in range(5)], wanted, atol=1e-6)
