"""The one path of every image, whichever door it came in by: bytes -> pixels -> predictions."""

from dataclasses import dataclass
from time import perf_counter

from classifier.images import read_image
from classifier.model import Model, Prediction


@dataclass(frozen=True)
class Classification:
    """The predictions for one image, best first, and what they took, in seconds."""

    predictions: list[Prediction]
    decode_seconds: float
    infer_seconds: float


def classify(model: Model, data: bytes, *, top_k: int, max_pixels: int) -> Classification:
    """Classify an encoded image. Raises `classifier.images.ImageError`."""
    start = perf_counter()
    pixels = read_image(
        data,
        model.card.size,
        model.card.crop_fraction,
        interpolation=model.card.interpolation,
        max_pixels=max_pixels,
    )
    decoded = perf_counter()
    predictions = model.predict(pixels, top_k)
    return Classification(predictions, decoded - start, perf_counter() - decoded)
