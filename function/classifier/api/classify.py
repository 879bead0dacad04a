"""`POST /`: the images of a request in, the answer to them out."""

import asyncio
import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from classifier.api import responses
from classifier.api.auth import check_key
from classifier.api.multipart import Limits, read_key, read_uploads
from classifier.api.problems import ParameterError, TooSlow
from classifier.classifier import Classification, Classifier
from classifier.images.read import ImageError
from classifier.server.body import Bodies, Body
from classifier.server.pool import Workers
from classifier.settings import Settings
from classifier.telemetry.request import exchange_of

if TYPE_CHECKING:
    from classifier.s3 import ImageStore

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}")
_MOST_CLASSES: Final = 100


class ClassifyEndpoint:
    """An ASGI application for one path and one method."""

    def __init__(
        self,
        classifier: Classifier,
        settings: Settings,
        workers: Workers,
        store: Callable[[], "ImageStore"],
    ) -> None:
        self._classifier = classifier
        self._settings = settings
        self._workers = workers
        self._store = store
        self._bodies = Bodies(settings.max_held_bytes)
        self._limits = Limits(
            bytes=settings.max_bytes,
            files=settings.max_files,
            way_out=" POST /uploads tells where to put larger ones." if settings.bucket else "",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Exception as error:
            response = responses.error(request, error, self._classifier.metrics)
            await response(scope, receive, send)
            if response.status_code == 500:
                raise  # for the server's log
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        check_key(request, self._settings.api_key)
        top_k = _top_k(request)
        # Before the body is read: what cannot be served is not to fill the memory first.
        self._workers.check_room()
        exchange = exchange_of(request.scope)
        body = Body(request.receive, self._bodies)
        try:
            images = await self._read(request, body)
            exchange.images = len(images)
            self._workers.check_room()
            jobs = [self._workers.give(self._classify, image, top_k) for image in images]
            del images  # the jobs hold them until they are done
            outcomes = await self._workers.run(jobs, request.receive)
        finally:
            exchange.bytes_in = body.size
            body.release()
        for outcome in outcomes:
            if isinstance(outcome, Classification):
                exchange.decode += outcome.decode_seconds
                exchange.infer += outcome.infer_seconds
        return responses.answer(request, outcomes, self._classifier.model.card.name)

    async def _read(self, request: Request, body: Body) -> list[bytes]:
        key = None
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                if self._settings.bucket:
                    key = await read_key(request.headers, body)
                if key is None:
                    return await read_uploads(request.headers, body, self._limits)
        except TimeoutError:
            raise TooSlow(
                f"The body did not arrive within {self._settings.body_seconds} seconds. "
                "Send a smaller image, or the same one again."
            ) from None
        fetch = functools.partial(self._store().fetch_upload, key)
        images = await self._workers.run([self._workers.give(fetch)], request.receive)
        body.hold(len(images[0]))
        return images

    def _classify(self, data: bytes, top_k: int) -> Classification | ImageError:
        try:
            return self._classifier.classify(data, top_k)
        except ImageError as error:
            return error


def _top_k(request: Request) -> int:
    """Raises `ParameterError`."""
    query: bytes = request.scope["query_string"]
    if not query:
        return 5
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("top_k", ["5"])[-1]
    if not _INTEGER.fullmatch(given):
        raise ParameterError("query.top_k: Input should be a valid integer.")
    if int(given) < 1:
        raise ParameterError("query.top_k: Input should be greater than or equal to 1.")
    if int(given) > _MOST_CLASSES:
        raise ParameterError("query.top_k: Input should be less than or equal to 100.")
    return int(given)
