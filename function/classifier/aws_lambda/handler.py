"""The Lambda handler: HTTP events go to the application; photos that other events name are
classified."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from classifier.api.service import Service
from classifier.aws_lambda.http_events import create_http_handler, is_http_event
from classifier.telemetry.emf import EmbeddedMetrics

if TYPE_CHECKING:
    from classifier.aws_lambda.photos import Photos

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]


def create_handler(app: ASGIApp, service: Service) -> Handler:
    """The function that Lambda calls with each event."""
    handle_http = create_http_handler(app, service.settings.base_path)

    def handler(event: Event, context: Any) -> Any:
        if isinstance(service.metrics, EmbeddedMetrics):
            service.metrics.invocation_started(getattr(context, "aws_request_id", ""))
        try:
            if is_http_event(event):
                return handle_http(event, context)
            return _handle_other(event, context, service, handle_http)
        finally:
            if service.tracing:
                service.tracing.flush()  # Lambda stops the process until the next event

    return handler


def _handle_other(event: Event, context: Any, service: Service, handle_http: Handler) -> Any:
    """The response to an event that is not an HTTP request. Only the modules for this event are
    imported: a cold start does not need them. Raises `UnknownEvent`, and the errors of the
    functions below."""

    def photos(**options: bool) -> "Photos":
        from classifier.aws_lambda.photos import Photos

        return Photos(service, **options)

    match event:
        case {"Records": [*_, {"eventSource": "aws:sqs"}]} | {
            "Records": [{"eventSource": "aws:sqs"}, *_]
        }:
            from classifier.aws_lambda.sqs import write_batch

            return write_batch(event, photos(one_at_a_time=True), context)
        case {"Records": list()} | {"source": "aws.s3"} | {"Event": "s3:TestEvent"}:
            from classifier.aws_lambda.notifications import write_results

            return write_results(event, photos(), context)
        case {"invocationSchemaVersion": _, "tasks": _}:
            from classifier.aws_lambda.batch_operations import run_tasks

            return run_tasks(event, photos(), context)
        case {"image": _} | {"inputs": _}:
            from classifier.aws_lambda.direct_images import classify_images

            return classify_images(event, handle_http, service.settings)
        case {"key": _}:
            from classifier.aws_lambda.direct_key import classify_key

            return classify_key(event, photos(), service.settings)
    from classifier.aws_lambda.event_errors import UnknownEvent, outline
    from classifier.aws_lambda.warm_up import is_warm_up, warm_up

    if isinstance(event, dict) and is_warm_up(event):
        return warm_up(service.classifier.model.card.name)
    raise UnknownEvent(
        "This function accepts HTTP events (API Gateway, function URL, load balancer), new objects "
        "of S3 (directly, or through EventBridge, SNS or SQS), tasks of S3 Batch Operations, "
        '{"image": ...}, {"key": ...} and {"warmup": true}. This event is none of them: '
        f"{outline(event)}."
    )
