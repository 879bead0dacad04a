"""The Lambda handler: HTTP events go to the application, S3 events are classified."""

from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from classifier.api.service import Service
from classifier.aws_lambda.http_events import create_http_handler, is_http_event
from classifier.telemetry.emf import EmbeddedMetrics

Event = dict[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]


class UnknownEvent(ValueError):
    """An event that is neither HTTP nor S3."""


def create_handler(app: ASGIApp, service: Service) -> Handler:
    """The function that Lambda calls with each event."""
    handle_http = create_http_handler(app, service.settings.base_path)

    def handler(event: Event, context: Any) -> dict[str, Any]:
        if isinstance(service.metrics, EmbeddedMetrics):
            service.metrics.invocation_started(getattr(context, "aws_request_id", ""))
        if is_http_event(event):
            try:
                return handle_http(event, context)
            finally:
                if service.tracing:
                    service.tracing.flush()  # Lambda stops the process until the next event
        from classifier.aws_lambda.s3_events import classify_objects, is_s3_event  # not at a start

        if is_s3_event(event):
            return classify_objects(event, service.classifier, service.settings)
        raise UnknownEvent(
            "This function takes HTTP events (API Gateway, function URL, load balancer) and S3 "
            f"ObjectCreated events. This event is neither: {_outline(event)}"
        )

    return handler


def _outline(event: object) -> str:
    if isinstance(event, dict):
        return f"an object with the keys {sorted(event)[:10]}"
    return f"a {type(event).__name__}"
