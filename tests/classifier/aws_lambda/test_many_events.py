"""Hundreds of photos by notifications and a queue, with events twice and in any order, while S3
fails now and then."""

import json
import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from classifier.classifier import Classifier
from classifier.errors import StoreError
from classifier.model import Model
from classifier.telemetry.metrics import Metrics
from tests.classifier.aws_lambda import events
from tests.classifier.aws_lambda.events import Event
from tests.support import batch_run
from tests.support.batch_run import OWN, PHOTOS, Stored
from tests.support.s3_batch import Invoke
from tests.support.s3_faults import Faults

COUNT = 200
BATCH = 10
MAX_TRIES = 3
"""Of Lambda, for events that are not from a queue"""

pytestmark = pytest.mark.slow


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with batch_run.s3_with_faults(monkeypatch) as faults:
        yield faults


def deliver(invoke: Invoke, event: Event) -> bool:
    """As Lambda does: three times at most. Returns whether the event succeeded."""
    for _ in range(MAX_TRIES):
        try:
            invoke(event)
        except StoreError:
            continue
        return True
    return False


def drain(invoke: Invoke, queue: deque[Event], faults: Faults, chance: random.Random) -> int:
    """As SQS does: what a batch reports as failed comes back later. S3 recovers in the middle.
    Returns how many messages came back."""
    returned = 0
    middle = len(queue) // 2
    while queue:
        if len(queue) <= middle and returned:
            faults.plan(PHOTOS, {})
        count = min(len(queue), chance.randint(1, BATCH))
        bodies = [queue.popleft() for _ in range(count)]
        answer = invoke(events.sqs(*bodies))
        failed = [int(each["itemIdentifier"][1:]) for each in answer["batchItemFailures"]]
        returned += len(failed)
        queue.extend(bodies[number] for number in failed)
    return returned


def notification(key: str, size: int, chance: random.Random) -> Event:
    """From S3 or EventBridge."""
    source = chance.choice([events.s3, events.event_bridge])
    return source(key, bucket=PHOTOS, size=size)


def outcome(result: dict[str, Any]) -> list[str] | str:
    """The cells of a table, or the slug of the problem."""
    if "type" in result:
        return str(result["type"]).rpartition("#")[2]
    return [str(each[name]) for each in result["predictions"] for name in ("label", "probability")]


def test_every_photo_has_exactly_one_right_result(faults: Faults, model: Model) -> None:
    """Given 1 % of bad photos, and two or three events of each photo: some straight to the
    function, some by a queue, a part of both from SNS."""
    classifier = Classifier(model, Metrics(), max_pixels=64_000_000)
    photos: dict[str, Stored] = batch_run.make_photos(COUNT)
    truth = batch_run.Truth(classifier)
    chance = random.Random(1)
    s3 = boto3.client("s3")
    sent = [key for key in photos for _ in range(chance.randint(2, 3))]
    chance.shuffle(sent)
    queue: deque[Event] = deque()
    with batch_run.stored(s3, photos), batch_run.function_of(classifier) as invoke:
        batch_run.plan_faults(faults, photos)
        for key in sent:
            event = notification(key, len(photos[key].content or b""), chance)
            if chance.random() < 0.7:
                queue.append(chance.choice([event, events.sns_envelope(event)]))
                continue
            event = chance.choice([event, events.sns(event)])
            if not deliver(invoke, event):
                queue.append(events.failed_event(event))  # by the destination of failed events
        assert drain(invoke, queue, faults, chance) > 0
        found = {
            each["Key"]: json.loads(s3.get_object(Bucket=OWN, Key=each["Key"])["Body"].read())
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=OWN)
            for each in page["Contents"]
        }
    assert {key: outcome(each) for key, each in found.items()} == {
        f"results/{PHOTOS}/{key}.json": truth.cells(each) or each.problem
        for key, each in photos.items()
    }
    assert all(f"results/{PHOTOS}/{each['key']}.json" == key for key, each in found.items())
