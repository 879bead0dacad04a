"""The service's model and classifier, for the other servers: only the serving differs."""

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import Settings
from classifier.telemetry.metrics import Metrics


def load_classifier() -> Classifier:
    """The classifier with the service's own settings."""
    settings = Settings.from_environment()
    model = load_model(settings.model_dir, intra_op_threads=settings.intra_op_threads)
    return Classifier(model, Metrics(), max_pixels=settings.max_pixels)
