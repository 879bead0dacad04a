"""The service's model and classifier, for the other servers: only the serving differs."""

from classifier.artifact import load_artifact
from classifier.classify import Classifier
from classifier.metrics import Metrics
from classifier.model import Model
from classifier.settings import Settings


def load_classifier() -> Classifier:
    """The classifier with the service's own settings."""
    settings = Settings.from_environment()
    model = Model(load_artifact(settings.model_dir), intra_op_threads=settings.intra_op_threads)
    return Classifier(model, Metrics(), max_pixels=settings.max_pixels)
