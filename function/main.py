"""One application, two doors: `app` for uvicorn (`uvicorn main:app`), `handler` for Lambda."""

# ruff: noqa: E402
import gc

# Almost nothing that a start makes is garbage; to look for it takes a tenth of the start.
gc.disable()

import sys

from classifier.api.app import create_app
from classifier.artifact import ArtifactError, load_artifact
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.model import Model
from classifier.server.process import prepare_server
from classifier.settings import Settings, SettingsError
from classifier.telemetry.metrics import EmbeddedMetrics, Metrics

try:
    settings = Settings.from_environment()
    model = Model(load_artifact(settings.model_dir), intra_op_threads=settings.intra_op_threads)
except (SettingsError, ArtifactError) as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2) from None

metrics: Metrics
if settings.lambda_function:
    metrics = EmbeddedMetrics(settings.lambda_function)
else:
    from classifier.telemetry.prometheus import (
        PrometheusMetrics,  # costs cold starts what only others use
    )

    metrics = PrometheusMetrics(model.card, settings.prometheus_multiproc_dir)
    prepare_server()

classifier = Classifier(
    model,
    metrics,
    max_pixels=settings.max_pixels,
    max_decode_bytes=settings.max_decode_bytes,
)
app = create_app(classifier, settings)
handler = create_handler(app, classifier, settings)

gc.freeze()  # nor is it looked through later, while requests wait
gc.enable()
