"""local/batch_report.py: counts, tables, manifests and errors."""

import csv
import gzip
import json
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import quote

import pytest
from mypy_boto3_s3 import S3Client

from tests.support.aws_profile import ASKING, UNREADABLE, profile_environment
from tests.support.completion import CAT, failed, result, succeeded, write_report
from tests.support.s3_batch import write_inventory
from tests.support.scripts import refused, script

SCRIPT = "local/batch_report.py"
NO_IMAGE = "The file is not an image of an accepted format."
SLOW = "TemporaryFailure"


def read(path: Path, mark: str = "") -> list[list[str]]:
    text = path.read_text("utf-8")
    assert text.startswith(mark)
    return list(csv.reader(text.removeprefix(mark).splitlines()))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The report of a job: two photos classified, one not an image, one whose bucket was slow."""
    return write_report(
        tmp_path / "reports" / "job-1",
        succeeded("a/1%20.jpg"),
        succeeded("a/2.jpg", result(("fox", 0.75))),
        failed("a/3.txt", NO_IMAGE),
        failed("a/4%2B.jpg", "Cannot fetch a/4+.jpg from photos: SlowDown", SLOW),
    )


def test_counts_by_kind_of_failure(job: Path) -> None:
    done = script(SCRIPT, job)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "4 objects in the report of 1 job\n"
        "2 classified (50.00%) by efficientnet-lite0\n"
        "1 failed, permanent (25.00%); another run would not help\n"
        f"          1  {NO_IMAGE}\n"
        "1 failed, temporary (25.00%); run these again: --failed\n"
        "          1  Cannot fetch KEY from photos: SlowDown\n"
        "most frequent of 2 classes:\n"
        "          1  tiger cat\n"
        "          1  fox\n"
    )


def test_table_has_the_classes_of_each_photo(job: Path, tmp_path: Path) -> None:
    table = tmp_path / "results.csv"
    assert script(SCRIPT, job, "--csv", table, "--top", 2).returncode == 1
    assert read(table, mark="\ufeff") == [
        ["key", "label", "probability", "label2", "probability2"],
        ["a/1 .jpg", "tiger cat", "0.5", "tabby", "0.25"],
        ["a/2.jpg", "fox", "0.75", "", ""],
    ]
    done = script(SCRIPT, job, "--csv", "-")
    assert done.stdout == "key,label,probability\na/1 .jpg,tiger cat,0.5\na/2.jpg,fox,0.75\n"
    assert "4 objects" in done.stderr


@pytest.mark.parametrize("first", [*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", "'", "'='"])
def test_no_key_is_a_formula_for_a_spreadsheet(tmp_path: Path, first: str) -> None:
    """Given strangers who choose the names of their photos. The key can be read back."""
    key = f"{first}cmd|' /C calc'!A0"
    job = write_report(tmp_path / "job-1", succeeded(quote(key)), succeeded("a'=b.jpg"))
    table = tmp_path / "results.csv"
    script(SCRIPT, job, "--csv", table)
    with table.open(encoding="utf-8-sig", newline="") as file:
        cells = [row["key"] for row in csv.DictReader(file)]
    assert cells == [f"'{key}", "a'=b.jpg"]
    assert [cell.removeprefix("'") for cell in cells] == [key, "a'=b.jpg"]


def test_key_may_have_a_carriage_return(tmp_path: Path) -> None:
    job = write_report(tmp_path / "job-1", succeeded(quote("a\rb.jpg")), succeeded("c.jpg"))
    table = tmp_path / "results.csv"
    script(SCRIPT, job, "--csv", table)
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert [row["key"] for row in csv.DictReader(file)] == ["a\rb.jpg", "c.jpg"]


def test_key_is_one_cell_for_a_spreadsheet_that_separates_at_semicolons(tmp_path: Path) -> None:
    job = write_report(tmp_path / "job-1", succeeded("a;=1-1.jpg"), succeeded("b.jpg"))
    table = tmp_path / "results.csv"
    script(SCRIPT, job, "--csv", table)
    text = table.read_text("utf-8-sig")
    assert text == 'key,label,probability\n"a;=1-1.jpg","tiger cat",0.5\nb.jpg,tiger cat,0.5\n'
    first, *_ = list(csv.reader(text.splitlines(), delimiter=";"))[1]
    assert first.startswith("a;=1-1.jpg")


def test_failed_photos_get_a_manifest_for_another_job(job: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    script(SCRIPT, job, "--failed", again)
    assert again.read_text() == "photos,a/4%2B.jpg\n"
    script(SCRIPT, job, "--failed", again, "--permanent")
    assert sorted(read(again)) == [["photos", "a/3.txt"], ["photos", "a/4%2B.jpg"]]


def test_manifest_has_versions_if_the_report_has(tmp_path: Path) -> None:
    job = write_report(
        tmp_path / "job-1", failed("a", "?", SLOW, version="v1"), failed("b", "?", SLOW)
    )
    done = script(SCRIPT, job, "--failed", "-")
    assert done.stdout == "photos,a,v1\nphotos,b,null\n"
    again = write_report(
        tmp_path / "job-1-again",
        succeeded("a", version="v1"),
        succeeded("b", version="null"),
        created="2026-11-26T18:00:00.000Z",
    )
    done = script(SCRIPT, job, again)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 tasks run again by a later job" in done.stdout
    mixed = write_report(
        tmp_path / "job-2", failed("a", "?", SLOW), failed("b", "?", SLOW, version="v1")
    )
    assert "no manifest may mix" in refused(SCRIPT, mixed, "--failed", tmp_path / "again.csv")


def test_later_job_replaces_the_tasks_of_an_earlier_one(job: Path, tmp_path: Path) -> None:
    """Given the reports of both jobs below one folder."""
    write_report(
        tmp_path / "reports" / "a-later-job",
        succeeded("a/4%2B.jpg"),
        created="2026-11-26T18:00:00.000Z",
    )
    table, summary = tmp_path / "results.csv", tmp_path / "summary.json"
    done = script(SCRIPT, tmp_path / "reports", "--csv", table, "--json", summary)
    assert done.returncode == 1
    assert {row[0] for row in read(table)[1:]} == {"a/1 .jpg", "a/2.jpg", "a/4+.jpg"}
    assert json.loads(summary.read_text()) == {
        "jobs": 2,
        "objects": 4,
        "classified": 3,
        "permanent": {NO_IMAGE: 1},
        "temporary": {},
        "skipped": 0,
        "no_result": 0,
        "replaced": 1,
        "twice": 0,
        "missing": 0,
        "models": {"efficientnet-lite0": 3},
        "classes": {"tiger cat": 2, "fox": 1},
    }


def test_photo_that_a_job_has_twice_is_reported(tmp_path: Path) -> None:
    """Given one in another encoding."""
    job = write_report(
        tmp_path / "job-1", succeeded("a+b"), succeeded("a%20b"), succeeded("c"), succeeded("c")
    )
    done = script(SCRIPT, job, "--csv", tmp_path / "results.csv")
    assert done.returncode == 1
    assert "2 tasks of photos that the job has already, for example:\n" in done.stdout
    assert "    s3://photos/a%20b\n    s3://photos/c\n" in done.stdout
    assert [row[0] for row in read(tmp_path / "results.csv")] == ["\ufeffkey", "a b", "c"]


def test_photos_of_the_manifest_that_have_no_task_are_missing(tmp_path: Path) -> None:
    """Given a job that was cancelled."""
    job = write_report(tmp_path / "job-1", succeeded("a%20b"), succeeded("c"))
    manifest = tmp_path / "manifest.csv.gz"
    manifest.write_bytes(gzip.compress(b"photos,a+b\nphotos,c\n") + gzip.compress(b"photos,d\n"))
    again = tmp_path / "again.csv"
    done = script(SCRIPT, job, "--manifest", manifest, "--failed", again)
    assert done.returncode == 1
    assert "1 photo of the manifest without a task, for example:\n    s3://photos/d" in done.stdout
    assert again.read_text() == "photos,d\n"


def test_complete_job_has_status_0(tmp_path: Path) -> None:
    job = write_report(tmp_path / "job-1", succeeded("a"))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("photos,a\n")
    for report in (job, job / "manifest.json", *job.glob("results/*.csv")):
        assert script(SCRIPT, report).returncode in (0, 1)
    done = script(SCRIPT, job, "--manifest", manifest)
    assert (done.returncode, done.stderr) == (0, "")
    folder = succeeded("b/", '{"skipped":"s3://photos/b/ is a folder"}')
    done = script(SCRIPT, write_report(tmp_path / "job-2", succeeded("a"), folder))
    assert done.returncode == 0
    assert "2 objects in the report of 1 job\n1 classified (50.00%)" in done.stdout
    assert "1 folder skipped\n" in done.stdout
    done = script(SCRIPT, write_report(tmp_path / "job-3", succeeded("a", "copied")))
    assert done.returncode == 1
    assert "1 succeeded without predictions" in done.stdout


def test_empty_report_is_not_complete(tmp_path: Path) -> None:
    """Given a file that was cut off at its start."""
    empty = tmp_path / "report.csv"
    empty.touch()
    done = script(SCRIPT, empty)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("0 objects in the report of 1 job\n")


@pytest.mark.parametrize("option", ["--csv", "--failed", "--json"])
def test_files_that_are_read_are_not_written(job: Path, tmp_path: Path, option: str) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("photos,a/1%20.jpg\n")
    (rows, *_) = job.glob("results/*.csv")
    for path in (
        manifest,
        rows,
        job / "manifest.json",
        tmp_path / "reports" / ".." / manifest.name,
    ):
        before = path.read_bytes()
        message = refused(SCRIPT, job, "--manifest", manifest, option, path)
        assert f"'{path}' is a report or a manifest, or named twice." in message
        assert path.read_bytes() == before


def test_file_is_not_written_by_two_options(job: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    assert "named twice" in refused(SCRIPT, job, "--csv", table, "--failed", table)
    assert not table.exists()
    assert script(SCRIPT, job, "--csv", "/dev/null", "--failed", "/dev/null").returncode == 1


def test_closed_pipe_is_no_error_of_another_file(tmp_path: Path) -> None:
    rows = [succeeded(f"{number}.jpg") for number in range(20_000)]  # more than a pipe holds
    job = write_report(tmp_path / "job-1", *rows)
    with Popen(
        [sys.executable, SCRIPT, job, "--csv", "-", "--failed", tmp_path / "again.csv"],
        stdout=PIPE,
        stderr=PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"key,label,probability\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_files_of_one_folder_are_one_job(job: Path, tmp_path: Path) -> None:
    """Given the CSV files without their manifest.json."""
    (job / "manifest.json").unlink()
    assert "4 objects in the report of 1 job\n" in script(SCRIPT, job).stdout
    files = sorted((job / "results").glob("*.csv"))
    assert "4 objects in the report of 1 job\n" in script(SCRIPT, *files, files[0]).stdout


def upload(s3: S3Client, bucket: str, folder: Path, prefix: str) -> None:
    for path in folder.rglob("*.*"):
        key = f"{prefix}/{path.relative_to(folder.parent)}"
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def test_reports_and_manifests_in_s3(
    s3: S3Client, bucket: str, tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    """Given an inventory, and the reports of two jobs beside a generated manifest."""
    inventory = write_inventory(s3, "photos", [("a b", 1), ("c", 2), ("d", 3)], bucket, "batch/x")
    prefix = f"s3://{bucket}/batch"
    for name, created, rows in (
        ("job-2", "2026-11-26T17:00:00Z", [failed("a%20b", "?", SLOW), succeeded("c")]),
        ("job-1", "2026-11-26T18:00:00Z", [succeeded("a%20b", CAT)]),
    ):
        folder = write_report(tmp_path / name, *rows, created=created, bucket=bucket)
        upload(s3, bucket, folder, "batch/reports")
    place = inventory["Location"]["ObjectArn"].rpartition(":")[2]
    done = script(SCRIPT, prefix, "--manifest", f"s3://{place}", environment=s3_environment)
    assert (done.returncode, done.stderr) == (1, "")
    assert "2 objects in the reports of 2 jobs\n2 classified (100.00%)" in done.stdout
    assert "1 task run again by a later job" in done.stdout
    assert "    s3://photos/d\n" in done.stdout
    for name in ("job-2", "job-2/manifest.json"):
        done = script(SCRIPT, f"{prefix}/reports/{name}", environment=s3_environment)
        assert "2 objects in the report of 1 job\n1 classified" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.csv",), "Cannot read 'none.csv': No such file or directory"),
        (("s3://",), "names no bucket"),
        (("local/sample.jpg",), "is not a CSV file as S3 writes it"),
        (("tests/support",), "has neither a manifest.json nor CSV files"),
        (("x.csv", "--csv", "-", "--json", "-"), "Only one of"),
        (("x.csv", "--csv", "no/such/folder"), "cannot be written"),
        (("x.csv", "--top", "0"), "not a whole number from 1 to 100"),
    ],
)
def test_invalid_arguments_get_one_line(arguments: tuple[str, ...], message: str) -> None:
    assert message in refused(SCRIPT, *arguments)


def test_missing_reports_in_s3_get_one_line(
    s3: S3Client, bucket: str, s3_environment: dict[str, str]
) -> None:
    for place, message in (
        (f"s3://{bucket}/batch", "has no completion report"),
        ("s3://no-such-bucket/batch", "Cannot read s3://no-such-bucket/batch/: An error occurred"),
        (f"s3://{bucket}/x.csv", "NoSuchKey"),
        ("s3://a b/x", "Parameter validation failed: Invalid bucket name"),
    ):
        assert message in refused(SCRIPT, place)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "AWS_ENDPOINT_URL_S3",
            "nowhere",
            "A setting of AWS is invalid: Invalid endpoint: nowhere",
        ),
        ("AWS_MAX_ATTEMPTS", "x", "A setting of AWS is invalid: invalid literal for int()"),
        ("AWS_PROFILE", "none", "Cannot read s3://photos/x/: The config profile (none) could not"),
    ],
)
def test_invalid_settings_of_aws_get_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    assert message in refused(SCRIPT, "s3://photos/x")


@pytest.mark.parametrize(("profile", "reason"), [*UNREADABLE, ASKING])
def test_credentials_that_cannot_be_read(profile: str, reason: str, tmp_path: Path) -> None:
    environment = profile_environment(tmp_path, profile)
    done = script(SCRIPT, "s3://photos/x", environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    *before, line = done.stderr.splitlines()
    assert reason in line
    assert before == [] or reason == ASKING[1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "is not JSON as S3 writes it"),
        ("{", "is not JSON as S3 writes it"),
        ("[" * 100_000, "is not JSON as S3 writes it"),
        ('{"files": []}', "is not the manifest.json of a completion report"),
        ('{"Results": [{"Bucket": "b"}]}', "is not the manifest.json of a completion report"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert message in refused(SCRIPT, tmp_path)


def test_cut_off_report_is_refused(job: Path) -> None:
    """Given a copy that ends between two rows."""
    (path,) = (file for file in job.glob("results/*.csv") if b"fox" in file.read_bytes())
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert "its MD5 is not that of the report's manifest.json" in refused(SCRIPT, job)


def test_cut_off_manifest_is_refused(job: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv.gz"
    manifest.write_bytes(gzip.compress(b"photos,a\n" * 100)[:-9])
    assert "cut off" in refused(SCRIPT, job, "--manifest", manifest)
    manifest.write_bytes(b"photos,a\n")
    assert "damaged" in refused(SCRIPT, job, "--manifest", manifest)
    for row in (b"a\n", b"photos,a,,500,STANDARD\n"):  # the second of an inventory
        manifest.write_bytes(gzip.compress(row))
        assert "row 1: not a row of a manifest" in refused(SCRIPT, job, "--manifest", manifest)
    assert "give its address there" in refused(SCRIPT, job, "--manifest", "manifest.json")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux only")
def test_memory_does_not_grow_with_the_report(tmp_path: Path) -> None:
    """Given twenty times as many photos: 8 bytes each, and never the rows."""
    code = """import re, runpy, sys
sys.argv = ["batch_report.py", *sys.argv[1:]]
try:
    runpy.run_path("local/batch_report.py", run_name="__main__")
finally:
    print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""
    peaks = []
    for count in (5_000, 100_000):
        rows = [succeeded(f"photos/{number:07}.jpg") for number in range(count)]
        job = write_report(tmp_path / f"job-{count}", *rows)
        done = script("-c", code, job, "--csv", tmp_path / "out.csv")
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] - peaks[0] < 25_000, peaks  # KB: 20,000 rows at once, and files of 1 MB
