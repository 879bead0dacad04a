"""An environment that takes several requests at once, with Lambda's runtime client."""

import json
from typing import Any, Final

import pytest

from local.common.emulator import invoke_at_once
from tests.support.containers import STRICT
from tests.support.lambda_events import function_url
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL

PROCESSES: Final = 4
DAMAGED: Final = 2


@pytest.fixture(scope="module")
def outcome(image: str) -> Any:
    """Of two events for each process, the first ones at the same moment; one image is damaged."""
    photos = [SAMPLE.read_bytes()] * (2 * PROCESSES)
    photos[DAMAGED] = b"no image"
    events = [function_url("POST", "/", photo, {"content-type": "image/jpeg"}) for photo in photos]
    memory = ("--memory", "2048m", "--env", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=2048")
    return invoke_at_once(image, events, PROCESSES, *STRICT, *memory)


def test_processes_return_one_response_for_each_event(outcome: Any) -> None:
    assert outcome["failed"] == []
    responses = outcome["responses"]
    problem = responses.pop(DAMAGED)
    assert (problem["statusCode"], json.loads(problem["body"])["status"]) == (415, 415)
    for response in responses:
        assert json.loads(response["body"])["predictions"][0]["label"] == SAMPLE_LABEL


def test_processes_write_no_files(outcome: Any) -> None:
    """They share /tmp."""
    assert outcome["files"] == []


def test_log_lines_are_whole_and_have_the_id_of_their_request(outcome: Any) -> None:
    lines = [json.loads(line) for line in outcome["log"].splitlines()]
    requests = {f"request-{number}" for number in range(2 * PROCESSES)}
    (wrong,) = [line["requestId"] for line in lines if "Errors" in line]
    classified = [line["requestId"] for line in lines if "Classifications" in line]
    assert wrong == f"request-{DAMAGED}"
    assert sorted(classified) == sorted(requests - {wrong})


def test_process_has_a_thread_beside_those_of_the_runtime(outcome: Any) -> None:
    """One classifies. Runtime and event loop: the first thread, and one that waits for events."""
    assert len(outcome["processes"]) == PROCESSES
    assert max(process["threads"] for process in outcome["processes"]) <= 3
