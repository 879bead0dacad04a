"""Thousands of photos through S3 Batch Operations, as docs/bucket.md describes: an inventory, a job
while S3 fails now and then, its report, a second job for what failed, and the reports of both."""

import csv
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, Final

import pytest
from moto.s3.models import s3_backends
from PIL import Image

from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.aws_lambda.handler import create_handler
from classifier.classifier import Classifier
from classifier.errors import ServiceError
from classifier.settings import Settings
from tests.hostile.corpus.png import chunk, png
from tests.support.event_loop import current_event_loop
from tests.support.pictures import encode_fast, photo
from tests.support.s3 import s3_server
from tests.support.s3_batch import Invoke, Job, write_inventory
from tests.support.s3_faults import CUT, KINDS, Faults
from tests.support.scripts import script

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OWN: Final = "images"
PHOTOS: Final = "photos"
TOP: Final = 5
MAX_BYTES: Final = 50_000
"""Of an object"""

_ACCOUNT: Final = "123456789012"
_BAD_SHARE: Final = 0.01
_NAMES: Final = (
    *("IMG", "my cät", "a+b", "50%", "%2B", "😺", 'so "called", x', "Straße & Co", "=1+1", "a'b"),
    *("x//y", "日本", "~.!*()", "C:\\DCIM\\1"),
)
_SHOTS: Final = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

ENVIRONMENT: Final = {"AWS_MAX_ATTEMPTS": "2"}
"""Of boto3, which waits between them"""

_SLOW_SHARE: Final = 0.03
"""Photos whose first GET fails, which boto3 tries again"""
_DOWN_SHARE: Final = 0.01
"""Photos whose GETs fail more often, so that the job tries again"""
_DOWN_TIMES: Final = 2
"""The job tries three times; boto3 stops its own retries when too many fail in a row."""
_STUCK_SHARE: Final = 0.002
"""Photos whose GETs fail until the job has ended"""
_STUCK_TIMES: Final = 1000


@contextmanager
def s3_with_faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """An S3 server that can fail, for the clients of this process."""
    faults = Faults()
    with s3_server(faults.around) as environment:
        for name, value in (environment | ENVIRONMENT).items():
            monkeypatch.setenv(name, value)
        yield faults


@dataclass(frozen=True)
class Stored:
    """An object of the bucket; `content` is None if it is gone when the job comes to it."""

    content: bytes | None
    storage_class: str = "STANDARD"
    problem: str = ""
    """The slug of its problem; empty for a photo"""


def make_photos(count: int, seed: int = 1) -> dict[str, Stored]:
    """`count` objects, 1 % of them bad in every way that is known, with all kinds of keys."""
    chance = random.Random(seed)
    good = [Stored(content) for content in _contents()]
    bad = cycle(_bad(good[0].content or b""))
    number_of_bad = max(1, round(count * _BAD_SHARE))
    kinds = [True] * number_of_bad + [False] * (count - number_of_bad)
    chance.shuffle(kinds)
    return {
        f"2026/{number % 97:02}/{_NAMES[number % len(_NAMES)]}-{number}.jpg": (
            next(bad) if is_bad else chance.choice(good)
        )
        for number, is_bad in enumerate(kinds)
    }


def _contents() -> Iterator[bytes]:
    """Small photos of all formats: fewer pixels than the model's input, so that tests are fast."""
    for name in _SHOTS:
        picture = photo(name)
        for place in range(3):
            box = (place * 60, place * 40, place * 60 + 180, place * 40 + 180)
            small = picture.crop(box).resize((72, 72), Image.Resampling.BOX)
            for kind in _FORMATS:
                yield encode_fast(small, kind)


def _bad(jpeg: bytes) -> list[Stored]:
    return [
        Stored(b"Not an image\n", problem="unsupported-format"),
        Stored(b"<!doctype html><title>404 Not Found</title>", problem="unsupported-format"),
        Stored(b"%PDF-1.7\n" + bytes(500), problem="unsupported-format"),
        Stored(b"", problem="unreadable-image"),
        Stored(jpeg[: len(jpeg) // 2], problem="unreadable-image"),
        Stored(png((30_000, 30_000), chunk(b"IDAT", b"")), problem="too-many-pixels"),
        Stored(bytes(MAX_BYTES + 1), problem="object-too-large"),
        Stored(None, problem="object-not-found"),
        Stored(jpeg, storage_class="GLACIER", problem="object-unreadable"),
    ]


@contextmanager
def function_of(classifier: Classifier) -> Iterator[Invoke]:
    """The function with its two buckets, in this process."""
    settings = Settings(bucket=OWN, photo_bucket=PHOTOS, max_object_bytes=MAX_BYTES, threads=1)
    service = Service(classifier, settings)
    with current_event_loop():
        handler = create_handler(create_lambda_app(service), service)
        yield lambda event: handler(event, None)


@contextmanager
def stored(s3: "S3Client", photos: Mapping[str, Stored]) -> Iterator[None]:
    """Put the photos into a bucket, and make the function's own one. Removes both."""
    for name in (OWN, PHOTOS):
        place: Any = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    backend = s3_backends[_ACCOUNT]["aws"]
    for key, each in photos.items():
        # Not over HTTP, which would take as long as the test.
        if each.content is not None:
            backend.put_object(PHOTOS, key, each.content, storage=each.storage_class)
    try:
        yield
    finally:
        for name in (OWN, PHOTOS):
            backend.buckets[name].keys.clear()
            backend.delete_bucket(name)


def plan_faults(faults: Faults, photos: Mapping[str, Stored], seed: int = 1) -> Counter[str]:
    """Let S3 fail for some photos. Returns how many fail once, a few times, and until the end."""
    chance = random.Random(seed)
    plan: dict[str, Sequence[str]] = {}
    planned: Counter[str] = Counter()
    readable = [key for key, each in photos.items() if each.content]
    for key in readable:
        draw = chance.random()
        kind = chance.choice(KINDS)
        if draw < _SLOW_SHARE:
            plan[key] = [kind]
            planned["temporary" if kind == CUT else "once"] += 1  # boto3 does not read again
        elif draw < _SLOW_SHARE + _DOWN_SHARE:
            plan[key] = [kind] * _DOWN_TIMES
            planned["temporary"] += 1
        elif draw < _SLOW_SHARE + _DOWN_SHARE + _STUCK_SHARE:
            plan[key] = [kind] * _STUCK_TIMES
            planned["stuck"] += 1
    if not planned["stuck"]:  # few photos
        plan[readable[0]] = [KINDS[0]] * _STUCK_TIMES
        planned["stuck"] += 1
    faults.plan(PHOTOS, plan)
    return planned


class Truth:
    """What the classifier says of a content, in this process and without S3."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._known: dict[bytes, list[str]] = {}

    def cells(self, each: Stored) -> list[str] | None:
        """The cells of its row after the key; None if it cannot be classified."""
        if each.problem:
            return None
        assert each.content
        if each.content not in self._known:
            found = self._classifier.classify(each.content, TOP).predictions
            self._known[each.content] = [
                str(cell) for one in found for cell in (one["label"], one["probability"])
            ]
        return self._known[each.content]

    def check_problems(self, photos: Mapping[str, Stored]) -> None:
        """Each bad content is refused by the classifier, too, where it comes to that."""
        for each in set(photos.values()):
            if each.problem and each.content and not each.problem.startswith("object-"):
                with pytest.raises(ServiceError) as caught:
                    self._classifier.classify(each.content, TOP)
                assert caught.value.slug == each.problem


@dataclass
class Outcome:
    """Of a whole run."""

    first: Job
    second: Job
    after_first: dict[str, Any]
    """The summary of `batch_report.py`, as JSON"""
    after_both: dict[str, Any]
    wrong: list[str]
    """Keys whose row is not what the classifier says, or that have a row and should not"""
    missing: list[str]
    twice: list[str]


def run(  # noqa: PLR0917
    s3: "S3Client",
    invoke: Invoke,
    faults: Faults,
    photos: Mapping[str, Stored],
    truth: Truth,
    request: Mapping[str, Any],
    folder: Path,
) -> Outcome:
    """Two jobs and their reports. `request` is CreateJob's, without a manifest."""
    sizes = [(key, len(each.content or b"")) for key, each in photos.items()]
    inventory = write_inventory(s3, PHOTOS, sizes, OWN, "batch/manifests/inventory")
    first = Job({**request, "Manifest": inventory}, seed=1, twice=0.05, tasks_per_invocation=3)
    assert first.run(s3, invoke) == "Complete"
    reports = f"s3://{OWN}/{request['Report']['Prefix']}"
    again = folder / "again.csv"
    place = inventory["Location"]["ObjectArn"].rpartition(":")[2]
    done = report(reports, folder, "--failed", again, "--manifest", f"s3://{place}")
    after_first = summary_of(done, folder)

    faults.plan(PHOTOS, {})
    key = "batch/manifests/again.csv"
    etag = s3.put_object(Bucket=OWN, Key=key, Body=again.read_bytes())["ETag"]
    manifest = {
        "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
        "Location": {"ObjectArn": f"arn:aws:s3:::{OWN}/{key}", "ETag": etag.strip('"')},
    }
    second = Job({**deepcopy(dict(request)), "Manifest": manifest}, seed=2)
    assert second.run(s3, invoke) == "Complete"
    done = report(reports, folder, "--failed", again, "--manifest", f"s3://{place}")
    after_both = summary_of(done, folder)
    assert again.read_text() == "", "nothing is left to try again"

    rows = list(csv.reader((folder / "results.csv").read_text("utf-8-sig").splitlines()))[1:]
    counts = Counter(row[0] for row in rows)
    by_key = {row[0]: row[1:] for row in rows}
    return Outcome(
        first,
        second,
        after_first,
        after_both,
        wrong=[key for key, each in photos.items() if by_key.get(key) != truth.cells(each)],
        missing=[key for key, each in photos.items() if not each.problem and key not in counts],
        twice=[key for key, count in counts.items() if count > 1],
    )


def report(reports: str, folder: Path, *options: object) -> CompletedProcess[str]:
    return script(
        "local/batch_report.py",
        reports,
        *("--csv", folder / "results.csv", "--top", TOP, "--json", folder / "summary.json"),
        *options,
    )


def summary_of(done: CompletedProcess[str], folder: Path) -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (1, ""), done.stderr  # 1 % is bad
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return summary
