"""The entry points: `app` for uvicorn (`uvicorn main:app`), `handler` for Lambda."""

# ruff: noqa: E402
import gc

# Startup creates almost no garbage; collecting during imports costs 10 % of a cold start.
gc.disable()

import os
import sys

from starlette.types import ASGIApp

from classifier.api.service import Service
from classifier.artifact import ArtifactError
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.server.memory import process_budget
from classifier.server.workers import refusal_status, service_processes
from classifier.settings import Settings, SettingsError
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.tracing import check_tracing, start_tracing

try:
    settings = Settings.from_environment()
    check_tracing(os.environ)
    settings = settings.share(service_processes(settings))
    model = load_model(
        settings.model_dir,
        intra_op_threads=settings.intra_op_threads,
        warm_up=settings.warm_up,
    )
    memory = process_budget(settings)
except (SettingsError, ArtifactError) as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(refusal_status()) from None


def _metrics() -> Metrics:
    if settings.lambda_function:
        from classifier.telemetry.emf import EmbeddedMetrics

        return EmbeddedMetrics(settings.lambda_function)
    from classifier.telemetry.prometheus import PrometheusMetrics

    return PrometheusMetrics(model.card, settings.prometheus_multiproc_dir)


def _app(service: Service) -> ASGIApp:
    if settings.lambda_function and not service.tracing:
        from classifier.api.lambda_app import create_lambda_app

        return create_lambda_app(service)
    from classifier.api.app import create_app
    from classifier.server.process import configure_process

    if not settings.lambda_function:
        configure_process()
    return create_app(service)  # also on Lambda with traces: FastAPI makes them


metrics = _metrics()
classifier = Classifier(
    model,
    metrics,
    max_pixels=settings.max_pixels,
    memory=memory,
)
service = Service(classifier, settings, start_tracing(os.environ))
app = _app(service)
handler = create_handler(app, service)

gc.freeze()  # later collections skip the objects that startup created
gc.enable()
