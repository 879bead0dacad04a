"""The one path of every image, from HTTP or from S3: bytes -> pixels -> predictions."""

from time import perf_counter
from typing import NamedTuple, Self

from classifier.errors import ImageError
from classifier.images import MAX_PIXELS, UNLIMITED, MemoryBudget, read_image
from classifier.model import Model, Prediction
from classifier.telemetry.metrics import Metrics


class Classification(NamedTuple):
    """The predictions for one image, most probable first; times are in seconds.

    `top_probability` is that of the first class, 0 to 1, and `threshold` the probability from which
    on it is taken to be right, if the model card has one. `at_least` changes neither.
    """

    predictions: list[Prediction]
    decode_seconds: float
    infer_seconds: float
    top_probability: float
    threshold: float | None

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

    def classify(self, data: bytes, top_k: int) -> Classification:
        """Classify an encoded image. Raises `ImageError`."""
        card = self.model.card
        start = perf_counter()
        try:
            pixels = read_image(
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
        predictions = self.model.predict(pixels, top_k)
        # A model that returns NaN has no first class.
        top_probability = predictions[0]["probability"] if predictions else 0.0
        times = decoded - start, perf_counter() - decoded
        self.metrics.observe_image(*times, top_probability)
        return Classification(predictions, *times, top_probability, card.threshold)
