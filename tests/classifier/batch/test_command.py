"""The command on folders with good, bad and oddly named files, beside the service."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.outcome import MAX_TOP_K
from tests.classifier.batch.command import (
    ENDLESS,
    FUNCTION,
    LONG_ROWS,
    MANY,
    begin,
    classify,
    copies,
    held,
    only_line,
    without_progress,
)
from tests.support.pictures import encode, photo
from tests.support.scripts import finish, interrupt, session_of
from tests.support.server import Server
from tests.support.wait import wait_until

ODD_NAMES = (
    b'comma, "quotes"\nand line.jpg',
    b"\xe9t\xe9.jpg",
    "Stra\u00dfe.JPG".encode(),
    b"\x1b[31mred.jpg",
)
BAD = {
    "cut.jpg": "/problems#unreadable-image",
    "empty.png": "/problems#unreadable-image",
    "text.jpg": "/problems#unsupported-format",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sample: bytes) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ODD_NAMES:
        (folder / os.fsdecode(name)).write_bytes(sample)
    (folder / "cut.jpg").write_bytes(sample[: len(sample) // 3])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("This is not a photo.")
    (folder / "2025").mkdir()
    (folder / "2025" / "coffee.png").write_bytes(encode(photo("coffee.png"), "PNG"))
    (folder / "notes.txt").write_text("This is not even called a photo.")
    (folder / ".hidden.jpg").write_bytes(sample)
    return folder


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("layout", [{"THREADS": "1"}, {"WEB_CONCURRENCY": "1", "THREADS": "3"}])
def test_each_line_of_json_is_the_response_of_the_service(
    server: Server, folder: Path, tmp_path: Path, layout: dict[str, str]
) -> None:
    lines = tmp_path / "out.jsonl"
    done = classify(folder, "--jsonl", lines, "--top", 7, **layout)
    assert done.returncode == 1, done.stderr
    records = lines.read_bytes().splitlines(keepends=True)
    paths = [json.loads(record)["path"] for record in records]
    assert {os.fsencode(Path(path).name) for path in paths} >= set(ODD_NAMES)
    assert len(paths) == len(ODD_NAMES) + len(BAD) + 1
    assert paths == sorted(paths)
    for path, record in zip(paths, records, strict=True):
        response = server.client.post(
            "/?top_k=7",
            content=Path(path).read_bytes() or b"-",
            headers={"Content-Type": "image/jpeg"},
        )
        if Path(path).stat().st_size:  # an empty body is another problem
            name = json.dumps(path, ensure_ascii=False).encode("utf-8", "backslashreplace")
            assert record == b'{"path":' + name + b"," + response.content[1:]


def test_csv_has_the_best_prediction_or_the_problem_of_each_image(
    folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "out.csv"
    done = classify(folder, "--csv", table, "--top", 2)
    rows = {Path(row["path"]).name: row for row in rows_of(table)}
    assert rows["coffee.png"]["label"] == "espresso"
    assert 0 < float(rows["coffee.png"]["probability2"]) < float(rows["coffee.png"]["probability"])
    assert rows["coffee.png"]["problem"] == rows["coffee.png"]["detail"] == ""
    assert {name: rows[name]["problem"] for name in BAD} == BAD
    assert all(rows[name]["detail"] and not rows[name]["label"] for name in BAD)
    assert ODD_NAMES[0].decode() in rows
    assert "\\udce9t\\udce9.jpg" in rows
    assert "8 images" in done.stderr
    assert "3 with a problem; left out: 1 other files, 1 hidden" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")


def test_without_a_file_each_image_has_a_readable_line(folder: Path) -> None:
    done = classify(folder / "2025", folder / "text.jpg", folder / os.fsdecode(ODD_NAMES[3]))
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{folder}/2025/coffee.png: espresso ")
    assert second.startswith(f"{folder}/text.jpg: Unsupported Media Type: This is not an image")
    assert third.startswith(f"{folder}/\\x1b[31mred.jpg: tiger cat ")


def test_several_classes_on_standard_output_and_status_0(folder: Path) -> None:
    done = classify(folder / "2025", "--csv", "-", "--top", 3)
    header, row = done.stdout.splitlines()
    assert header.startswith("path,label,")
    assert "label3" in header
    assert row.startswith(f"{folder}/2025/coffee.png,espresso,967,")
    assert done.returncode == 0


def test_a_named_file_is_tried_whatever_its_name(folder: Path, sample: bytes) -> None:
    named = folder.parent / "photo.dat"
    named.write_bytes(sample)
    line = rf"{re.escape(str(named))}: tiger cat \d\d\.\d%\n"
    assert re.fullmatch(line, classify(named).stdout)


def test_files_that_cannot_be_read_have_a_row(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.jpg")
    done = classify(tmp_path, "--csv", "-")
    broken, pipe = csv.DictReader(done.stdout.splitlines())
    assert broken["detail"] == "The file cannot be read: No such file or directory."
    assert pipe["detail"] == "The file cannot be read: It is not a regular file."
    assert broken["problem"] == pipe["problem"] == "/problems#unreadable-file"
    assert done.returncode == 1


def test_limits_are_the_settings_of_the_service(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos", 1)
    large = classify(photos, MAX_BYTES="1000", MAX_HELD_BYTES="1000")
    assert "Content Too Large: The file has " in large.stdout
    pixels = classify(photos, MAX_PIXELS="1000")
    assert "Content Too Large: The image has " in pixels.stdout


def test_an_empty_folder_has_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    table = tmp_path / "out.csv"
    done = classify(tmp_path / "none", "--csv", table)
    assert (done.returncode, rows_of(table)) == (0, [])
    assert done.stderr.startswith("0 images in ")


def test_a_killed_run_continues_where_it_was(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos")
    table, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    with held(photos, table) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = len(rows_of(table))
    assert 5 <= before < MANY
    table.write_bytes(table.read_bytes()[:-20])  # as if the crash had cut the row
    done = classify(photos, "--csv", table, *LONG_ROWS)
    assert done.returncode == 0, done.stderr
    assert f"{before - 1} had a row already" in done.stderr
    classify(photos, "--csv", whole, *LONG_ROWS)
    assert table.read_bytes() == whole.read_bytes()


def test_a_second_run_of_a_complete_folder_changes_nothing(folder: Path, tmp_path: Path) -> None:
    table, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    command = (folder, "--csv", table, "--jsonl", lines)
    classify(*command)
    before = table.read_bytes(), lines.read_bytes()
    done = classify(*command)
    assert (table.read_bytes(), lines.read_bytes()) == before
    assert done.returncode == 1  # the rows with a problem still are
    assert "8 had a row already; 3 with a problem" in done.stderr


def test_an_output_that_lacks_rows_of_another_gets_them(folder: Path, tmp_path: Path) -> None:
    table, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    classify(folder / "2025", "--jsonl", lines)
    classify(folder / "2025", folder / "text.jpg", "--csv", table, "--jsonl", lines)
    assert len(rows_of(table)) == len(lines.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_rows_and_says_how_to_continue(
    sample: bytes, tmp_path: Path, signalled: signal.Signals
) -> None:
    photos = copies(sample, tmp_path / "photos", ENDLESS)
    table = tmp_path / "out.csv"
    with held(photos, table) as process:
        if signalled == signal.SIGINT:
            interrupt(process)  # the workers get it as well
        else:
            process.terminate()
        done = finish(process)
    assert done.returncode == 128 + signalled
    line = only_line(done.stderr)
    assert line.startswith("Stopped after ")
    assert line.endswith("The same command continues.")
    rows = rows_of(table)
    assert 5 <= len(rows) < ENDLESS
    assert len(rows) == len(done.stdout.splitlines())
    assert all(row["label"] == "tiger cat" for row in rows)


def test_a_worker_that_is_killed_ends_the_run_with_one_line(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos", ENDLESS)
    table = tmp_path / "out.csv"
    with held(photos, table) as process:
        for worker in session_of(process):
            worker.kill()
        done = finish(process)
    assert done.returncode == 1
    line = only_line(done.stderr)
    assert line.startswith("error: A worker process was killed by SIGKILL; it had ")
    assert rows_of(table)


def test_workers_end_with_a_parent_that_is_killed(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos")
    with held(photos, tmp_path / "out.csv") as process:
        workers = session_of(process)
        process.kill()
        assert workers
        # Where process 1 does not wait for them, they stay as zombies.
        wait_until(lambda: session_of(process) == [], "the workers' end")


def test_two_runs_do_not_write_to_one_file(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos")
    table = tmp_path / "out.csv"
    with held(photos, table):
        done = classify(photos, "--csv", table, *LONG_ROWS)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: Another run is writing to '{table}'. Wait until it ends.\n",
    )


def test_a_reader_that_closes_the_pipe_ends_the_run_silently(sample: bytes, tmp_path: Path) -> None:
    photos = copies(sample, tmp_path / "photos")
    with begin(photos, "--jsonl", "-", *LONG_ROWS) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        error = process.stderr.read()
    assert (process.returncode, without_progress(error)) == (1, [])


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        ((), {}, "the following arguments are required: PATH (see --help)"),
        (("missing.jpg",), {}, "'missing.jpg' cannot be read: No such file or directory."),
        (("main.py", "--top", "0"), {}, "argument --top: '0' is not a whole number from 1 to 100"),
        (("main.py", "--nonsense"), {}, "unrecognized arguments: --nonsense (see --help)"),
        (
            ("main.py", "--csv", "-", "--jsonl", "-"),
            {},
            "--csv and --jsonl both name '-'. Name two files.",
        ),
        (
            ("main.py", "--csv", "no/out.csv"),
            {},
            "'no/out.csv' cannot be written: No such file or directory.",
        ),
        (("main.py",), {"MAX_PIXELS": "lots"}, "MAX_PIXELS must be a whole number of pixels"),
        (("main.py",), {"MODEL_DIR": "no"}, "Cannot read no/model.json: No such file"),
        (("main.py",), {"MEMORY_BYTES": "1000"}, "0 MiB of memory are left for images"),
    ],
)
def test_an_invalid_command_gets_one_line_and_status_2(
    arguments: tuple[str, ...], environment: dict[str, str], line: str
) -> None:
    done = classify(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    (found,) = done.stderr.splitlines()
    assert found.startswith(f"error: {line}")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_end_no_run(closed: str, sample: bytes, tmp_path: Path) -> None:
    table = tmp_path / "out.csv"
    folder = copies(sample, tmp_path / "photos", 1)
    command = shlex.join([sys.executable, "-m", "classifier", str(folder), "--csv", str(table)])
    done = subprocess.run(
        ["sh", "-c", f"{command} {closed}"], cwd=FUNCTION, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(rows_of(table)) == 1


def test_help_has_examples() -> None:
    done = classify("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m classifier photos/ --csv out.csv" in done.stdout
    assert MAX_TOP_K == 100  # the test of --top above names it


def test_neither_the_command_nor_its_workers_import_what_only_the_service_needs() -> None:
    program = """
import sys
for name in ("anyio", "boto3", "fastapi", "prometheus_client", "starlette", "uvicorn"):
    sys.modules[name] = None
import classifier.batch.command
print({"numpy", "onnxruntime", "PIL"} & set(sys.modules))
import classifier.batch.worker
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FUNCTION, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
