"""Models of the real timm and torch, exported and served.

They are skipped unless the two are installed, which takes gigabytes:

    pip install -r tests/requirements.txt
    pip install onnxscript timm torch torchvision
    python -m pytest -m slow -s tests/models/test_timm.py
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from local.models import build
from local.models.card import preprocessing_of, read_card
from local.models.graph.sessions import session
from local.models.parity.reference import own_pixels
from local.models.photos import read_pixels
from tests.support.paths import ROOT
from tests.support.pictures import photo

MISSING = [name for name in ("torch", "torchvision", "timm", "onnxscript") if not find_spec(name)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"not installed: {', '.join(MISSING)} (see the top of this file)",
    ),
]

PHOTOS = 20

TOLERANCE = 1e-3
"""Of a logit on the same pixels"""


class Export(NamedTuple):
    """A folder that `export_timm` has written, and its photos in order."""

    folder: Path
    photos: list[Path]
    pixels: NDArray[np.uint8]
    logits: NDArray[np.float32]


@pytest.fixture(
    scope="module", params=["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224"]
)
def export(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Export:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "photos").mkdir()
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "retina.jpg"]
    for number in range(PHOTOS):
        whole = photo(names[number % len(names)])
        left, top = 10 * number, 5 * number
        part = whole.crop((left, top, left + 130 + 9 * number, top + 290 - 7 * number))
        suffix = "jpg" if number % 2 else "png"
        part.save(folder / "photos" / f"{number:02}.{suffix}")
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.export_timm", request.param]
    subprocess.run([*command, str(folder)], cwd=ROOT, check=True, capture_output=True)
    with np.load(folder / "expected.npz") as expected:
        photos = sorted((folder / "photos").iterdir())
        return Export(folder, photos, expected["pixels"], expected["logits"])


@pytest.fixture(scope="module")
def model(export: Export) -> Path:
    """The export after the build."""
    names = [f"class {number}\n" for number in range(export.logits.shape[1])]
    (export.folder / "names.txt").write_text("".join(names))
    given = {
        "--onnx": export.folder / "net.onnx",
        "--labels": export.folder / "names.txt",
        "--calibration": export.folder / "photos",
        "--out": export.folder / "served",
        "--fp32": export.folder / "fp32.onnx",
        **json.loads((export.folder / "options.json").read_text()),
    }
    build.main([str(part) for pair in given.items() for part in pair])
    return export.folder / "served"


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def log_probabilities(model: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[N, classes]: logits, up to a number for each photo."""
    run = session(model.read_bytes())
    photos = (run.run(None, {"pixels": one[None]})[0][0] for one in pixels)
    return np.asarray(np.log(np.stack(list(photos)).astype(np.float64)))


def test_logits_are_those_of_torch_on_the_same_pixels(export: Export, model: Path) -> None:
    wanted = log_softmax(export.logits)
    assert wanted.std(0).min() > 10 * TOLERANCE  # photos differ
    found = log_probabilities(model.parent / "fp32.onnx", export.pixels)
    difference = np.abs(found - wanted).max()
    print(f"\n{export.folder.name}: logits differ by {difference:.1e} at most")
    assert difference < TOLERANCE


def test_own_pixels_are_those_of_the_transform(export: Export, model: Path) -> None:
    """Bit for bit: the reference of the parity check."""
    preprocessing = preprocessing_of(read_card(model))
    own = np.stack([own_pixels(path, preprocessing) for path in export.photos])
    assert np.array_equal(own, export.pixels)


def test_service_agrees_with_the_transform(export: Export, model: Path) -> None:
    """The service reads photos with shortcuts: a first class may change, the rest stays close.
    INT8 is only printed: without training, networks say little about it."""
    pixels = read_pixels(export.photos, preprocessing_of(read_card(model)))
    wanted = log_softmax(export.logits)
    for name, file in (("float", model.parent / "fp32.onnx"), ("INT8", model / "model.onnx")):
        found = log_probabilities(file, pixels)
        same = (found.argmax(1) == wanted.argmax(1)).mean()
        difference = np.abs(np.exp(found) - np.exp(wanted)).max(1)
        print(
            f"\n{export.folder.name}, {name}: {same:.0%} agree; the probability differs by "
            f"{difference.mean():.3f} on average and {difference.max():.3f} at most"
        )
        assert name == "INT8" or difference.mean() < 0.1
