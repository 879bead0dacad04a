"""The endpoint of `POST /`: it knows Starlette's request and response, and no framework."""

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from classifier.api.auth import check_key
from classifier.api.bodies import read_upload
from classifier.api.bodies.limits import FRAMING_BYTES, Limits, declared_size
from classifier.api.bodies.upload import Upload
from classifier.api.results import results_response
from classifier.api.service import Service
from classifier.api.stages import MIN_ADMISSION_SECONDS, image_stages
from classifier.classifier import Classification
from classifier.errors import ImageError, InvalidJson, InvalidKey, InvalidParameter
from classifier.outcome import DEFAULT_TOP_K, MAX_TOP_K
from classifier.server.body import BodyStream
from classifier.server.connection import connection_of
from classifier.telemetry.request import RequestRecord, record_of
from classifier.telemetry.tracing import Stage

if TYPE_CHECKING:
    from classifier.s3 import StoredImage

_MAX_DIGITS = 9

_SHOWN = 40
"""Characters of an invalid value of a JSON body"""

_MAX_NUMBER_LENGTH: Final = 40
"""Characters of a decimal number; the longest that Python and JavaScript write has 24"""

_BOOLEANS: Final = {None: False, "1": True, "true": True, "0": False, "false": False}


def parse_top_k(value: str | None) -> int:
    """Raises `InvalidParameter`."""
    if value is None:
        return DEFAULT_TOP_K
    is_number = value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS
    if not (is_number and 1 <= int(value) <= MAX_TOP_K):
        raise InvalidParameter(
            f"top_k must be a whole number from 1 to {MAX_TOP_K}; it is {value!r}."
        )
    return int(value)


def parse_min_probability(value: str | None) -> float:
    """From 0 to 1; 0 if there is no value. Raises `InvalidParameter`."""
    if value is None:
        return 0.0
    try:
        # float() also reads underscores and the digits of other scripts.
        is_number = value.isascii() and "_" not in value and len(value) <= _MAX_NUMBER_LENGTH
        found = float(value) if is_number else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:  # also nan
        raise InvalidParameter(f"min_probability must be a number from 0 to 1; it is {value!r}.")
    return found


def parse_boolean(name: str, value: str | None) -> bool:
    """Whether the parameter `name` is true; without a value, it is false. Raises
    `InvalidParameter`."""
    try:
        return _BOOLEANS[value.lower() if value else value]
    except KeyError:
        raise InvalidParameter(f"{name} must be true or false; it is {value!r}.") from None


def check_function(function: object, activation: str) -> None:
    """Check `function_to_apply` of a JSON body, which may be None. Raises `InvalidJson`.

    activation: the model's, which is part of its graph and cannot be changed.
    """
    if function not in (None, activation):
        raise InvalidJson(f"'function_to_apply' must be {activation}: the model's output is fixed.")


class ClassifyEndpoint:
    """The images of a request -> the response. The same endpoint is in both routing tables."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._model = service.classifier.model
        self._pool = service.pool
        self._admission = service.admission
        self._settings = settings = service.settings
        self._limits = Limits(
            bytes=min(settings.max_bytes, service.memory.bodies - FRAMING_BYTES),
            files=settings.max_files,
            alternative=" POST /uploads takes larger images." if settings.bucket else "",
        )

    async def handle(self, request: Request) -> Response:
        """Raises `ServiceError` and `ClientDisconnect`."""
        check_key(request, self._settings.api_key)
        top_k = parse_top_k(request.query_params.get("top_k"))
        min_probability = parse_min_probability(request.query_params.get("min_probability"))
        as_list = parse_boolean("list", request.query_params.get("list"))
        explain = parse_boolean("explain", request.query_params.get("explain"))
        if explain and not self._model.explains:
            raise InvalidParameter(
                f"The model {self._model.card.name} cannot explain its predictions: it has no "
                "class activation map. Send the request without explain."
            )
        record = record_of(request.scope)
        declared = declared_size(request.headers, self._limits)
        arrived = perf_counter()
        place = await self._admission.enter(declared, connection_of(request.scope))
        admitted = perf_counter()
        record.queue = admitted - arrived
        waited = place.waited and record.queue >= MIN_ADMISSION_SECONDS
        if waited and record.stages is not None:
            record.stages.append(Stage("admission", arrived, admitted))
        body = BodyStream(request.receive, self._service.memory, self._service.buffers)
        try:
            try:
                upload = await self._read(request, body, declared)
                if upload.top_k is not None:
                    top_k = parse_top_k(repr(upload.top_k)[:_SHOWN])
                check_function(upload.function, self._model.card.activation)
                images = upload.images
                if upload.key is not None:
                    images = await self._fetch(request, upload.key, body)
                record.images = len(images)
                if not place.kept:
                    self._pool.ensure_capacity()
                queued = perf_counter()
                parameters = (top_k, min_probability, explain)
                jobs = [
                    self._pool.submit(self._measure, record, number, queued, image, *parameters)
                    for number, image in enumerate(images)
                ]
            finally:
                place.leave()
            del images, upload.images[:]  # the jobs hold them until they are done
            outcomes = await self._pool.gather(jobs, request)
        finally:
            record.bytes_in = body.size
            body.release()
        for outcome in outcomes:
            if isinstance(outcome, Classification):
                record.decode += outcome.decode_seconds
                record.infer += outcome.infer_seconds
        return results_response(
            request,
            outcomes,
            self._model.card.name,
            queue=record.queue,
            as_list=as_list,
            as_labels=upload.labels,
            explains=self._model.explains,
        )

    async def _read(self, request: Request, body: BodyStream, declared: int) -> Upload:
        async with body.paced(self._settings.body_seconds):
            return await read_upload(request.headers, body, self._limits, declared)

    async def _fetch(self, request: Request, key: str, body: BodyStream) -> list[bytes]:
        if not self._settings.bucket:
            raise InvalidKey("This deployment accepts no uploads: BUCKET is not set.")
        find = self._pool.submit(self._find_upload, key)
        (found,) = await self._pool.gather([find], request)
        body.take(found.size)
        return await self._pool.gather([self._pool.submit(found.read)], request)

    def _find_upload(self, key: str) -> "StoredImage":
        return self._service.store.find_upload(key)

    def _measure(
        self, record: RequestRecord, number: int, queued: float, *arguments: Any
    ) -> Classification | ImageError:
        """`_classify(*arguments)`, for the image `number`, from 0, which was `queued` then."""
        started = perf_counter()
        if number == 0:
            record.queue += started - queued
        outcome = self._classify(*arguments)
        if record.stages is not None:
            record.stages += image_stages(number, queued, started, outcome, perf_counter())
        try:
            return outcome
        finally:
            del outcome  # the traceback of an error refers to this frame: a cycle

    def _classify(
        self, data: bytes, top_k: int, min_probability: float, explain: bool
    ) -> Classification | ImageError:
        try:
            result = self._service.classifier.classify(data, top_k, explain=explain)
        except ImageError as error:
            return error
        return result.at_least(min_probability) if min_probability else result
