"""Events of any form are answered, or refused with an error that names the cause."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from classifier.aws_lambda.event_errors import MalformedEvent, UnknownEvent
from classifier.model import Model
from tests.classifier.aws_lambda.conftest import Function
from tests.classifier.aws_lambda.events import batch, event_bridge, s3, sns, sqs

SEEDS = [s3("a/b"), event_bridge("a"), sns(s3("a")), sqs(s3("a"), sns(s3("b"))), batch("a", "b")]

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
VALUES = st.recursive(
    ATOMS | st.sampled_from(["aws:s3", "aws:sqs", "aws:sns", "aws.s3", "Object Created", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


def mutated(value: Any, draw: st.DrawFn) -> Any:
    """The value with parts replaced, removed, wrapped or repeated."""
    if draw(st.integers(0, 11)) == 0:
        return draw(
            VALUES | st.just([value, value]) | st.just({"Records": [value]}) | st.just(str(value))
        )
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if draw(st.integers(0, 14))}
        return {name: mutated(inner, draw) for name, inner in kept.items()}
    if isinstance(value, list):
        return [mutated(inner, draw) for inner in value]
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(mutated(json.loads(value), draw))
    return value


@st.composite
def events(draw: st.DrawFn) -> Any:
    return mutated(draw(st.sampled_from(SEEDS)), draw)


@pytest.fixture
def nowhere(model: Model) -> Function:
    """A function without buckets: it skips every photo."""
    no_s3: S3Client = None  # type: ignore[assignment]
    return Function(model, no_s3, bucket="", photo_bucket="")


@given(event=events())
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_event_is_answered_or_refused(nowhere: Function, event: Any) -> None:
    try:
        answer = nowhere(event)
    except (MalformedEvent, UnknownEvent) as refusal:
        answer = {"status": str(refusal)}
    assert set(answer) & {"results", "batchItemFailures", "status"}
    assert len(json.dumps(answer)) < 4000
