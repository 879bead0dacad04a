"""The stages of an image's classification, as spans of its request."""

from typing import Final

from classifier.classifier import Classification
from classifier.errors import ServiceError
from classifier.telemetry.tracing import Stage

MIN_ADMISSION_SECONDS: Final = 0.001
"""A shorter wait for room in the queue or in memory is not a stage."""


def image_stages(
    number: int, queued: float, started: float, outcome: Classification | ServiceError, ended: float
) -> list[Stage]:
    """Queue, decoding and inference of the image `number` of a request, from 0, which a thread took
    from the queue at `started`. An image that is refused was not inferred."""
    attributes: dict[str, int | str] = {"classifier.image.number": number}
    queue = Stage("queue", queued, started, attributes)
    if not isinstance(outcome, Classification):
        return [queue, Stage("decode", started, ended, {**attributes, "error.type": outcome.kind})]
    decoded = started + outcome.decode_seconds
    attributes = {**attributes, "classifier.image.format": outcome.format_name}
    return [
        queue,
        Stage("decode", started, decoded, attributes),
        Stage("infer", decoded, decoded + outcome.infer_seconds, attributes),
    ]
