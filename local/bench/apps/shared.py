"""What the other servers run: the service's model and its path from bytes to predictions, so that
nothing but the serving differs."""

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import Settings
from classifier.telemetry.metrics import Metrics


def load_classifier() -> Classifier:
    """The classifier that the service's own settings ask for."""
    settings = Settings.from_environment()
    model = load_model(settings.model_dir, intra_op_threads=settings.intra_op_threads)
    return Classifier(model, Metrics(), max_pixels=settings.max_pixels)
