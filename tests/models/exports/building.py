"""Builds models from exports in tests, and compares them with the exported network."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from local.models import build

Refuse = Callable[..., str]
Floats = NDArray[np.floating[Any]]


class BuiltModel(NamedTuple):
    """The model's folder, its float model, and the lines that the build printed."""

    out: Path
    fp32: Path
    lines: list[str]

    @property
    def card(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.out / "model.json").read_bytes())
        return content

    @property
    def labels(self) -> list[str]:
        return (self.out / "labels.txt").read_text("utf-8").splitlines()

    def preprocessing(self) -> tuple[int, float, str, str]:
        """Size, crop fraction, resize and interpolation, as the card states them."""
        stated = self.card["preprocessing"]
        resize = stated.get("resize", "crop")
        return stated["size"], stated["crop_fraction"], resize, stated["interpolation"]

    def line(self, option: str) -> tuple[str, str]:
        """The value and the source that the build printed for an option."""
        (found,) = [line for line in self.lines if line.split(maxsplit=1)[0] == option]
        value, source = found.removeprefix(option).strip().split("  ", 1)
        return value, source.strip()


Build = Callable[..., BuiltModel]


def build_export(photos: Path, out: Path, fp32: Path, *options: str | Path) -> None:
    paths = ["--calibration", photos, "--out", out, "--fp32", fp32]
    build.main([str(argument) for argument in (*paths, *options)])


def pixels(size: int) -> NDArray[np.uint8]:
    """Noise, [3, size, size, 3]."""
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)


def check_probabilities(
    built: BuiltModel,
    network: Path,
    normalized: Callable[[Floats], Floats],
    activation: Callable[[Floats], Floats],
    *,
    nhwc: bool = False,
) -> None:
    """Compare the built float model with `network`, given pixels that `normalized` has prepared."""
    size, *_ = built.preprocessing()
    noise = pixels(size)
    floats = normalized(noise.astype(np.float64)).astype(np.float32)
    floats = floats if nhwc else floats.transpose(0, 3, 1, 2)
    raw = [run(network, one[None])[0] for one in floats]
    np.testing.assert_allclose(
        run(built.fp32, noise), activation(np.stack(raw)), rtol=1e-3, atol=1e-5
    )


def run(model: Path, inputs: NDArray[Any]) -> Floats:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs: Sequence[Floats] = session.run(None, {session.get_inputs()[0].name: inputs})
    return outputs[0]


def same(outputs: Floats) -> Floats:
    return outputs


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(-1, keepdims=True)
    return probabilities


def sigmoid(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-logits))
