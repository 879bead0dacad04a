"""The one path of every image, from HTTP or from S3: bytes -> pixels -> predictions."""

from time import perf_counter
from typing import Final, NamedTuple, Self, TypedDict

from classifier.errors import ImageError
from classifier.images import MAX_PIXELS, UNLIMITED, MemoryBudget, Photo, read_photo
from classifier.model import Model, Prediction
from classifier.telemetry.metrics import Metrics

_BOX_DECIMALS: Final = 1


class SeenBox(TypedDict):
    """The part of the upright image that the model got, in pixels of the image."""

    x: float
    y: float
    width: float
    height: float


class Explanation(TypedDict):
    """The class activation map of the class `index`: `grid` has rows, from the top of `box` to its
    bottom. Their mean plus a constant of the class is its logit."""

    index: int
    grid: list[list[float]]
    box: SeenBox


class Classification(NamedTuple):
    """The predictions for one image, most probable first; times are in seconds.

    `top_probability` is that of the first class, 0 to 1. `threshold` is the probability at or above
    which the class is taken to be right, if the model card has one. `at_least` changes neither.
    """

    predictions: list[Prediction]
    decode_seconds: float
    infer_seconds: float
    top_probability: float
    threshold: float | None
    explanation: Explanation | None = None
    format_name: str = ""
    """That of the file, as `Photo.format`"""

    @property
    def confident(self) -> bool | None:
        """Whether the first class reaches the threshold; None without a threshold."""
        return None if self.threshold is None else self.top_probability >= self.threshold

    def at_least(self, probability: float) -> Self:
        """Only the predictions with this probability, 0 to 1, or more; perhaps none."""
        return self._replace(
            predictions=[one for one in self.predictions if one["probability"] >= probability]
        )


class Classifier:
    """A model, the limits on images, and the metrics of each classification."""

    def __init__(
        self,
        model: Model,
        metrics: Metrics,
        *,
        max_pixels: int = MAX_PIXELS,
        memory: MemoryBudget = UNLIMITED,
    ) -> None:
        self.model = model
        self.metrics = metrics
        self._max_pixels = max_pixels
        self.memory = memory

    def classify(self, data: bytes, top_k: int, *, explain: bool = False) -> Classification:
        """Classify an encoded image; `explain` the first class, if the model explains. Raises
        `ImageError`, and `ArithmeticError` if the model returns NaN."""
        card = self.model.card
        start = perf_counter()
        try:
            photo = read_photo(
                data,
                card.size,
                card.crop_fraction,
                interpolation=card.interpolation,
                resize=card.resize,
                max_pixels=self._max_pixels,
                memory=self.memory,
            )
        except ImageError as error:
            self.metrics.count_error(error.kind)
            raise
        decoded = perf_counter()
        if explain:
            predictions, grid = self.model.predict_and_explain(photo.pixels, top_k)
            explanation = _explanation(predictions[0], grid, photo)
        else:
            predictions, explanation = self.model.predict(photo.pixels, top_k), None
        top_probability = predictions[0]["probability"]
        times = decoded - start, perf_counter() - decoded
        self.metrics.observe_image(*times, top_probability, photo.format)
        return Classification(
            predictions, *times, top_probability, card.threshold, explanation, photo.format
        )


def _explanation(first: Prediction, grid: list[list[float]], photo: Photo) -> Explanation:
    left, top, right, bottom = photo.box
    x, y, width, height = (
        round(pixels, _BOX_DECIMALS) for pixels in (left, top, right - left, bottom - top)
    )
    box = SeenBox(x=x, y=y, width=width, height=height)
    return Explanation(index=first["index"], grid=grid, box=box)
