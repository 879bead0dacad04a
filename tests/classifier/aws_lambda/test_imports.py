"""A cold start imports what HTTP needs; an event of another source imports the rest."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.paths import ROOT

AT_THE_START = {"handler", "http_events"}


def imported_by(event: dict[str, Any] | None, start: str = "classifier.aws_lambda.") -> set[str]:
    """The modules of the package after `event`; None: after a cold start."""
    code = f"""
import json, sys
import main
event = json.loads({json.dumps(json.dumps(event))})
if event is not None:
    main.handler(event, None)
print(json.dumps(sorted(sys.modules)))
"""
    printed = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=ROOT / "function",
        env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "classifier"},
        text=True,
    )
    modules = json.loads(printed.splitlines()[-1])
    return {name.removeprefix(start) for name in modules if name.startswith(start)}


def test_cold_start_imports_no_other_source() -> None:
    assert imported_by(None) == AT_THE_START


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ({"warmup": True}, {"event_errors", "warm_up"}),
        ({"image": "aGVsbG8="}, {"direct_images"}),
    ],
)
def test_event_without_s3_imports_no_boto3(event: dict[str, Any], more: set[str]) -> None:
    assert imported_by(event) == AT_THE_START | more
    assert imported_by(event, "boto3") == set()


def test_event_imports_its_source_alone() -> None:
    parts = {"deadline", "event_errors", "event_values", "notifications", "photos"}
    assert imported_by({"Records": []}) == AT_THE_START | parts
