"""Completion reports as S3 Batch Operations writes them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tests.support.s3_batch import REPORT_SCHEMA, to_csv

Row = Sequence[object]


def result(*classes: tuple[str, float], model: str = "efficientnet-lite0") -> str:
    """The string that the function returns for a photo."""
    predictions = [{"label": name, "probability": share} for name, share in classes]
    return json.dumps({"model": model, "predictions": predictions}, separators=(",", ":"))


CAT = result(("tiger cat", 0.5), ("tabby", 0.25))


def succeeded(key: str, text: str = CAT, version: str = "") -> Row:
    return ("photos", key, version, "succeeded", 200, "", text)


def failed(key: str, text: str, code: str = "PermanentFailure", version: str = "") -> Row:
    return ("photos", key, version, "failed", 200, code, text)


def write_report(
    folder: Path, *rows: Row, created: str = "2026-11-26T17:00:00.000Z", bucket: str = "reports"
) -> Path:
    """Write a job's report into `folder`, as it is in the bucket."""
    (folder / "results").mkdir(parents=True)
    results = []
    for status in ("succeeded", "failed"):
        content = to_csv(row for row in rows if row[3] == status)
        name = f"{hashlib.sha1(content).hexdigest()}.csv"
        (folder / "results" / name).write_bytes(content)
        results.append(
            {
                "TaskExecutionStatus": status,
                "Bucket": bucket,
                "MD5Checksum": hashlib.md5(content).hexdigest(),
                "Key": f"batch/reports/{folder.name}/results/{name}",
            }
        )
    listing = {
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": created,
        "Results": results,
        "ReportSchema": REPORT_SCHEMA,
    }
    (folder / "manifest.json").write_text(json.dumps(listing))
    return folder
