"""The service with short timeouts, for connections on a fake clock."""

import pytest
from uvicorn.config import Config

from classifier.api.app import create_app
from classifier.api.service import Service
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.classifier.server.fake_clock import (
    BODY_SECONDS,
    HEAD_SECONDS,
    KEEP_ALIVE_SECONDS,
    MAX_BYTES,
    configured,
)


@pytest.fixture(scope="module", params=["httptools", "h11"])
def config(request: pytest.FixtureRequest) -> Config:
    """uvicorn's configuration for the whole service."""
    settings = Settings(
        head_seconds=HEAD_SECONDS,
        body_seconds=BODY_SECONDS,
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        max_bytes=MAX_BYTES,
        threads=1,
        access_log=False,
    )
    model = load_model(str(SHIPPED_MODEL))
    classifier = Classifier(model, Metrics(), max_pixels=settings.max_pixels)
    service = Service(classifier, settings)
    return configured(create_app(service), settings, service.admission, parser=request.param)
