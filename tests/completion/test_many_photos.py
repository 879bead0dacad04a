"""Two thousand photos through S3 Batch Operations and S3, which fails now and then. Ten thousand:
make bench-batch"""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL
from classifier.telemetry.metrics import Metrics
from tests.support import batch_run
from tests.support.batch_job import documented, with_bucket
from tests.support.s3_batch import PERMANENT, SUCCEEDED, TEMPORARY
from tests.support.s3_faults import KINDS, Faults

COUNT = 2_000

pytestmark = pytest.mark.slow


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with batch_run.s3_with_faults(monkeypatch) as faults:
        yield faults


def test_every_photo_has_exactly_one_right_result(faults: Faults, tmp_path: Path) -> None:
    """Given 1 % of bad photos of all kinds, errors of S3 of all kinds, tasks that are delivered
    twice and in any order, and a second job for what failed. The jobs are those of the page."""
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), Metrics(), max_pixels=64_000_000)
    photos = batch_run.make_photos(COUNT)
    truth = batch_run.Truth(classifier)
    truth.check_problems(photos)
    bad = sum(bool(each.problem) for each in photos.values())
    s3 = boto3.client("s3")
    request = with_bucket(documented("job.json"), batch_run.OWN)
    with batch_run.stored(s3, photos), batch_run.function_of(classifier) as invoke:
        planned = batch_run.plan_faults(faults, photos)
        ended = batch_run.run(s3, invoke, faults, photos, truth, request, tmp_path)

    assert (ended.wrong, ended.missing, ended.twice) == ([], [], [])
    assert ended.first.differing == []
    assert ended.first.redriven >= planned["temporary"] > 0
    assert set(faults.served) == set(KINDS)

    stuck = planned["stuck"]
    assert ended.first.counts() == {
        SUCCEEDED: COUNT - bad - stuck,
        PERMANENT: bad,
        TEMPORARY: stuck,
    }
    first = ended.after_first
    assert (first["objects"], first["classified"]) == (COUNT, COUNT - bad - stuck)
    assert sum(first["permanent"].values()) == bad
    assert sum(first["temporary"].values()) == stuck
    both = ended.after_both
    assert (both["objects"], both["classified"], both["replaced"]) == (COUNT, COUNT - bad, stuck)
    assert sum(both["permanent"].values()) == bad
    assert {text.partition(":")[0] for text in both["permanent"]} == {
        each.problem for each in photos.values() if each.problem
    }
    assert (both["temporary"], both["twice"], both["missing"]) == ({}, 0, 0)
