"""S3 Batch Operations: invokes a function for each object of a manifest, and writes the report.

As AWS documents it (Amazon S3 User Guide: "Invoke AWS Lambda function", "Creating an S3 Batch
Operations job", "Examples: S3 Batch Operations completion reports", "Tracking job failure"), with
the order of columns that its examples have. Tasks are delivered in any order, and some twice.
"""

import csv
import gzip
import hashlib
import io
import json
import random
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Invoke = Callable[[dict[str, Any]], dict[str, Any]]

SUCCEEDED: Final = "Succeeded"
TEMPORARY: Final = "TemporaryFailure"
PERMANENT: Final = "PermanentFailure"
REPORT_SCHEMA: Final = (
    "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
)

_THRESHOLD_TASKS: Final = 1000
_THRESHOLD_FAILED: Final = 0.5
_THRESHOLD_CHECK: Final = 100
"""Invocations between two looks"""


class Target(NamedTuple):
    """An object of a manifest; the key is URL-encoded, as S3 passes it on."""

    bucket: str
    key: str
    version: str | None


class Outcome(NamedTuple):
    code: str
    text: str


@dataclass
class Job:
    """A job of the operation LambdaInvoke, with CreateJob's arguments."""

    request: Mapping[str, Any]
    account: str = "123456789012"
    seed: int = 1
    tasks_per_invocation: int = 1
    redrives: int = 2
    """How often a task is tried again after a temporary failure"""
    twice: float = 0.0
    """Share of tasks that are delivered a second time, in another order"""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "New"
    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    invocations: int = 0
    redriven: int = 0
    differing: list[Target] = field(default_factory=list)
    """Tasks whose deliveries ended with different results"""

    def run(self, s3: "S3Client", invoke: Invoke) -> str:
        """Invoke the function for all objects, then write the report. Returns the final status."""
        chance = random.Random(self.seed)
        targets = list(dict.fromkeys(read_manifest(s3, self.request["Manifest"])))
        deliveries = targets + [each for each in targets if chance.random() < self.twice]
        chance.shuffle(deliveries)
        waiting = deque((target, 0) for target in deliveries)
        self.status = "Active"
        while waiting and self.status == "Active":
            count = min(len(waiting), self.tasks_per_invocation)
            batch = [waiting.popleft() for _ in range(count)]
            for (target, tries), outcome in zip(
                batch, self._invoke(invoke, [each for each, _ in batch]), strict=True
            ):
                if outcome.code == TEMPORARY and tries < self.redrives:
                    self.redriven += 1
                    waiting.append((target, tries + 1))
                    continue
                known = self.outcomes.get(target)
                if known is None or known.code == TEMPORARY:
                    self.outcomes[target] = outcome
                elif outcome not in (known, Outcome(TEMPORARY, outcome.text)):
                    self.differing.append(target)
            if self._fails_too_often():
                self.status = "Failing"
        self.status = "Failed" if self.status == "Failing" else "Complete"
        self._write_report(s3)
        return self.status

    def counts(self) -> Counter[str]:
        return Counter(outcome.code for outcome in self.outcomes.values())

    def _fails_too_often(self) -> bool:
        ran = len(self.outcomes)
        if ran < _THRESHOLD_TASKS or self.invocations % _THRESHOLD_CHECK:
            return False
        return self.counts()[SUCCEEDED] < (1 - _THRESHOLD_FAILED) * ran

    def _invoke(self, invoke: Invoke, targets: Sequence[Target]) -> list[Outcome]:
        self.invocations += 1
        event = self.event(targets)
        try:
            # As JSON, since nothing else arrives.
            answer = json.loads(json.dumps(invoke(json.loads(json.dumps(event)))))
        except Exception as error:
            answer = {"errorMessage": str(error), "errorType": type(error).__name__}
        if "errorType" in answer:
            message = f"Lambda returned function error: {json.dumps(answer)}"
            return [Outcome(PERMANENT, message)] * len(targets)
        return _checked(event, answer)

    def event(self, targets: Sequence[Target]) -> dict[str, Any]:
        """The event of an invocation, as the schema version has it."""
        operation = self.request["Operation"]["LambdaInvoke"]
        schema = operation.get("InvocationSchemaVersion", "1.0")
        job: dict[str, Any] = {"id": self.id}
        if schema == "2.0":
            job["userArguments"] = operation.get("UserArguments")
        return {
            "invocationSchemaVersion": schema,
            "invocationId": uuid.uuid4().hex,
            "job": job,
            "tasks": [_task(schema, number, target) for number, target in enumerate(targets)],
        }

    def _write_report(self, s3: "S3Client") -> None:
        settings = self.request["Report"]
        bucket = settings["Bucket"].rpartition(":")[2]
        folder = f"{settings['Prefix'].rstrip('/')}/job-{self.id}"
        results = []
        for status in ("succeeded", "failed"):
            rows = [
                (target.bucket, target.key, target.version or "", status, 200, code, outcome.text)
                for target, outcome in self.outcomes.items()
                for code in ["" if outcome.code == SUCCEEDED else outcome.code]
                if (status == "succeeded") is (outcome.code == SUCCEEDED)
            ]
            if not rows:
                continue
            content = to_csv(rows)
            key = f"{folder}/results/{hashlib.sha1(content).hexdigest()}.csv"
            s3.put_object(Bucket=bucket, Key=key, Body=content)
            results.append(
                {
                    "TaskExecutionStatus": status,
                    "Bucket": bucket,
                    "MD5Checksum": hashlib.md5(content).hexdigest(),
                    "Key": key,
                }
            )
        listing = {
            "Format": settings["Format"],
            "ReportCreationDate": f"2026-11-26T17:00:00.{self.seed:03}Z",
            "Results": results,
            "ReportSchema": REPORT_SCHEMA,
        }
        body = json.dumps(listing).encode()
        s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=body)
        digest = hashlib.md5(body).hexdigest().encode()
        s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json.md5", Body=digest)


def write_inventory(
    s3: "S3Client", source: str, keys_and_sizes: Iterable[tuple[str, int]], bucket: str, prefix: str
) -> dict[str, Any]:
    """Write the inventory of `source` as CSV. Returns CreateJob's `Manifest`."""
    rows = [(source, quote(key, safe="/"), size) for key, size in keys_and_sizes]
    data = f"{prefix}/data/{uuid.uuid4()}.csv.gz"
    s3.put_object(Bucket=bucket, Key=data, Body=gzip.compress(to_csv(rows, quoted=True)))
    listing = {
        "sourceBucket": source,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": data, "size": 0, "MD5checksum": ""}],
    }
    key = f"{prefix}/manifest.json"
    etag = s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(listing).encode())["ETag"]
    return {
        "Spec": {"Format": "S3InventoryReport_CSV_20161130"},
        "Location": {"ObjectArn": f"arn:aws:s3:::{bucket}/{key}", "ETag": etag.strip('"')},
    }


def read_manifest(s3: "S3Client", manifest: Mapping[str, Any]) -> Iterator[Target]:
    """The objects of a manifest, whose ETag must be that of the job."""
    bucket, _, key = manifest["Location"]["ObjectArn"].rpartition(":")[2].partition("/")
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["ETag"].strip('"') == manifest["Location"]["ETag"]
    content = found["Body"].read()
    if manifest["Spec"]["Format"] == "S3BatchOperations_CSV_20180820":
        yield from _targets(content, manifest["Spec"]["Fields"])
        return
    listing = json.loads(content)
    for file in listing["files"]:
        body = s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read()
        yield from _targets(gzip.decompress(body), listing["fileSchema"].split(", "))


def to_csv(rows: Iterable[Sequence[object]], *, quoted: bool = False) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, "unix") if quoted else csv.writer(text, lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue().encode()


def _targets(content: bytes, fields: Sequence[str]) -> Iterator[Target]:
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        cells = dict(zip(fields, row, strict=True))
        yield Target(cells["Bucket"], cells["Key"], cells.get("VersionId") or None)


def _task(schema: str, number: int, target: Target) -> dict[str, Any]:
    bucket = (
        {"s3Bucket": target.bucket}
        if schema == "2.0"
        else {"s3BucketArn": f"arn:aws:s3:::{target.bucket}"}
    )
    return {
        "taskId": f"task-{number}",
        "s3Key": target.key,
        "s3VersionId": target.version,
        **bucket,
    }


def _checked(event: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Outcome]:
    """The outcomes of the event's tasks in the answer, which must have the documented shape."""
    assert answer["invocationSchemaVersion"] == event["invocationSchemaVersion"]
    assert answer["invocationId"] == event["invocationId"]
    missing = answer.get("treatMissingKeysAs", TEMPORARY)
    assert missing in (SUCCEEDED, TEMPORARY, PERMANENT)
    results: dict[str, Outcome] = {}
    for result in answer["results"]:
        assert set(result) == {"taskId", "resultCode", "resultString"}
        assert result["resultCode"] in (SUCCEEDED, TEMPORARY, PERMANENT)
        assert isinstance(result["resultString"], str)
        assert result["taskId"] not in results, "one result for each task"
        results[result["taskId"]] = Outcome(result["resultCode"], result["resultString"])
    identifiers = [task["taskId"] for task in event["tasks"]]
    assert set(results) <= set(identifiers)
    return [results.get(each, Outcome(missing, "")) for each in identifiers]
