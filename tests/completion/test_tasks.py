"""Rows of completion reports and manifests."""

import pytest

from local.common.cli import UsageError
from local.completion.tasks import Task, encoded, identity, parse_entries, parse_tasks
from tests.support.completion import CAT, Row, failed, result, succeeded
from tests.support.s3_batch import to_csv


def parse(*rows: Row) -> list[Task]:
    return list(parse_tasks(to_csv(rows).decode().splitlines(keepends=True), "report.csv"))


def test_row_of_a_classified_photo() -> None:
    """Given a key that is encoded in the manifest, and therefore in the report."""
    (task,) = parse(succeeded("a/my%20c%C3%A4t%2B1.jpg", CAT, "v1"))
    assert (task.bucket, task.key, task.version) == ("photos", "a/my cät+1.jpg", "v1")
    assert task.succeeded
    found = task.result()
    assert found
    assert found["model"] == "efficientnet-lite0"
    assert found["predictions"][0] == {"label": "tiger cat", "probability": 0.5}


@pytest.mark.parametrize("columns", [("200", "PermanentFailure"), ("PermanentFailure", "200")])
def test_code_is_found_in_either_order(columns: tuple[str, str]) -> None:
    """AWS's examples have the status first, its description the code."""
    (task,) = parse(("photos", "a", "", "failed", *columns, "no image"))
    assert (task.code, task.message, task.is_permanent) == ("PermanentFailure", "no image", True)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("TemporaryFailure", "Cannot fetch a: SlowDown"),
        ("PermanentFailure", 'Lambda returned function error: {"errorMessage":"… timed out …"}'),
        ("AccessDenied", "The role may not invoke the function"),
        ("", ""),
    ],
)
def test_other_failures_may_succeed_in_another_run(code: str, message: str) -> None:
    """AWS calls a function that timed out a permanent failure."""
    (task,) = parse(failed("a", message, code))
    assert not task.is_permanent


def test_failures_of_one_kind_differ_in_key_and_numbers() -> None:
    tasks = parse(
        failed("x/1.jpg", "The object x/1.jpg has 300 bytes; at most 200 are accepted."),
        failed("x/2%20.jpg", "The object x/2 .jpg has 1234 bytes;\n at most 200 are accepted."),
        failed("y", '{"type":"/problems#unreadable-image","detail":"The image is damaged."}'),
        failed("z", "", "AccessDenied"),
        failed("n", '{"a":' * 20_000),
    )
    assert [task.kind for task in tasks] == [
        "The object KEY has N bytes; at most N are accepted.",
        "The object KEY has N bytes; at most N are accepted.",
        "The image is damaged.",
        "AccessDenied",
        ('{"a":' * 20_000)[:99] + "…",
    ]


def test_crashes_of_one_kind_differ_in_time_and_request() -> None:
    """Given the message of AWS's example, and that of a process that had too little memory."""
    timeout = "{}Z {} Task timed out after 3.00 seconds"
    killed = "RequestId: {} Error: Runtime exited with error: signal: killed"
    tasks = parse(*(
        failed(f"{time}.jpg", f'Lambda returned function error: {{"errorMessage":"{text}"}}')
        for time, request in (
            ("2019-04-05T17:35:21.155", "2845ca0d-38d9-4c4b-abcf-379dc749c452"),
            ("2026-11-26T18:00:00.001", "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"),
        )
        for text in (timeout.format(time, request), killed.format(request))
    ))  # fmt: skip
    timeouts, kills = {task.kind for task in tasks[::2]}, {task.kind for task in tasks[1::2]}
    assert timeouts == {
        'Lambda returned function error: {"errorMessage":"ID Task timed out after N.N seconds"}'
    }
    (kind,) = kills
    assert "RequestId: ID Error: Runtime exited" in kind


@pytest.mark.parametrize(
    "text",
    [
        *("", "skipped", "null", "[]", "{}", '{"predictions":[]}', '{"predictions":[1]}', result()),
        "[" * 100_000,
    ],
)
def test_success_without_predictions_has_no_result(text: str) -> None:
    (task,) = parse(succeeded("a", text))
    assert task.result() is None


@pytest.mark.parametrize(
    "line",
    [
        "photos,a,,succeeded,200\n",
        "photos,a,,done,200,,x\n",
        "photos,a\n",
        '{"Format":"Report_CSV_20180820"}\n',
    ],
)
def test_other_file_is_refused_with_its_name_and_row(line: str) -> None:
    rows = to_csv([succeeded("b")]).decode()
    with pytest.raises(UsageError, match=r"report\.csv, row 2: not a row of a completion report"):
        list(parse_tasks([rows, line], "report.csv"))
    with pytest.raises(UsageError, match=r"report\.csv is not a CSV file"):
        list(parse_tasks(['photos,a,,succeeded,200,,"cut'], "report.csv"))


def test_object_has_one_identity_in_every_encoding() -> None:
    lines = ["photos,a%20b%2Bc\n", "photos,a+b%2bc\n", "photos,a b%2Bc\n", "other,a b%2Bc\n"]
    entries = list(parse_entries(lines, "manifest.csv"))
    assert len({identity(entry) for entry in entries[:3]}) == 1
    assert identity(entries[3]) != identity(entries[0])
    assert identity(parse(succeeded("a+b%2Bc"))[0]) == identity(entries[0])
    assert identity(parse(succeeded("a+b%2Bc", version="1"))[0]) != identity(entries[0])


def test_key_is_encoded_only_if_it_is_not() -> None:
    assert encoded("a/b%20c+%2B.jpg") == "a/b%20c+%2B.jpg"
    assert encoded('a/b "c",ä.jpg') == "a/b%20%22c%22%2C%C3%A4.jpg"
