"""The parts that all routes share."""

import functools
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from classifier.api.problems import ErrorResponder
from classifier.classifier import Classifier
from classifier.memory import THREAD_BODY_BYTES
from classifier.server.admission import Admission
from classifier.server.buffers import BodyBuffers
from classifier.server.middleware import ServiceMiddleware
from classifier.server.pool import Pool
from classifier.server.readiness import Readiness
from classifier.settings import Settings
from classifier.telemetry.metrics import Load

if TYPE_CHECKING:
    from classifier.s3 import ImageStore
    from classifier.telemetry.tracing import Tracing


class Service:
    """A classifier with its settings, its threads, and the memory and admission of requests."""

    def __init__(
        self, classifier: Classifier, settings: Settings, tracing: "Tracing | None" = None
    ) -> None:
        self.classifier = classifier
        self.settings = settings
        self.tracing = tracing
        self.metrics = classifier.metrics
        self.memory = classifier.memory
        self.buffers = BodyBuffers(settings.threads * THREAD_BODY_BYTES)
        self.admission = Admission(
            lambda: self.pool.queued,
            self.memory,
            limit=settings.queue,
            threads=settings.threads,
            metrics=self.metrics,
        )
        self.pool = Pool(
            settings.threads,
            settings.queue,
            self.metrics.observe_queue_wait,
            self.admission.admit,
        )
        self.metrics.watch(
            Load(
                queued=lambda: self.pool.queued,
                queue_limit=settings.queue,
                memory_used=lambda: self.memory.used,
                memory_limit=self.memory.limit,
            )
        )
        self.readiness = Readiness(self.admission)
        self.errors = ErrorResponder(self.metrics)

    def middleware(self, app: ASGIApp) -> ServiceMiddleware:
        """The outermost middleware, around `app`."""
        return ServiceMiddleware(
            app,
            metrics=self.metrics,
            settings=self.settings,
            readiness=self.readiness,
            respond=self.errors.respond,
            tracing=self.tracing,
        )

    @functools.cached_property
    def store(self) -> "ImageStore":
        """The bucket of uploads. Its first use imports boto3."""
        from classifier.s3 import ImageStore

        max_bytes = min(self.settings.max_object_bytes, self.memory.bodies)
        return ImageStore(self.settings.bucket, max_bytes=max_bytes)
