"""The whole application, put together for where it runs."""

import functools
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from classifier.api.classify import ClassifyEndpoint
from classifier.classifier import Classifier
from classifier.server.middleware import Service
from classifier.server.pool import Workers
from classifier.settings import Settings

if TYPE_CHECKING:
    from classifier.s3 import ImageStore


def create_app(classifier: Classifier, settings: Settings) -> ASGIApp:
    """The ASGI application that answers with `classifier`.

    It is a FastAPI, but not on Lambda: there FastAPI waits until something other than `POST /` is
    asked for. To import it is two fifths of a cold start.
    """
    workers = Workers(settings.threads, settings.queue, classifier.metrics.waited)

    @functools.cache
    def store() -> "ImageStore":
        from classifier.s3 import ImageStore  # boto3: only for those who use it

        return ImageStore(settings.bucket, max_bytes=settings.max_object_bytes)

    service = functools.partial(
        Service,
        classify=ClassifyEndpoint(classifier, settings, workers, store),
        metrics=classifier.metrics,
        settings=settings,
    )
    if not settings.lambda_function:
        from classifier.api.routes import create_api

        return create_api(classifier, settings, workers, store, layer=service)

    @functools.cache
    def api() -> ASGIApp:
        from classifier.api.routes import create_api

        return create_api(classifier, settings, workers, store)

    async def api_when_asked(scope: Scope, receive: Receive, send: Send) -> None:
        await api()(scope, receive, send)

    return service(api_when_asked)
