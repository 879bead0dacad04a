"""Files that are continued: what they have, what is repaired, and what is refused."""

import os
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from classifier.batch.outputs import Output, OutputError, Stream, open_file
from classifier.batch.rows import Csv, Format, JsonLines, Row

MODEL = "m"
PREDICTION = {"label": "cat, tabby", "index": 1, "wnid": None, "probability": 0.5}
PROBLEM = {"type": "/problems#x", "title": "X", "status": 422, "detail": 'Is not "so".'}
PATHS = [
    "a.jpg",
    'b, "c"\nd.jpg',
    "\r\n.jpg",
    "a\rb.jpg",
    os.fsdecode(b"\xe9t\xe9.jpg"),
    "Stra\u00dfe.jpg",
    '".jpg',
]
FORMATS = [Csv, JsonLines]


def result(path: str, top_k: int = 2, model: str = MODEL) -> Row:
    return {"path": path, "predictions": [PREDICTION] * top_k, "model": model}


def failure(path: str) -> Row:
    return {"path": path, **PROBLEM}


def opened(path: Path, kind: type[Any], top_k: int = 2, model: str = MODEL) -> Output:
    form: Format = kind(model, top_k)
    return open_file(path, form)


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    chosen: type[Any] = request.param
    return chosen


@pytest.fixture
def whole(tmp_path: Path, kind: type[Any]) -> Path:
    """A file with rows of `PATHS` and a problem."""
    path = tmp_path / "out"
    output = opened(path, kind)
    for name in PATHS:
        output.write(result(name))
    output.write(failure("bad.jpg"))
    output.close()
    return path


def test_a_file_knows_its_rows_again(whole: Path, kind: type[Any]) -> None:
    before = whole.read_bytes()
    before.decode("utf-8", "strict")
    output = opened(whole, kind)
    assert all(map(output.has, [*PATHS, "bad.jpg"]))
    assert not output.has("e.jpg")
    assert (output.known, output.known_problems) == (len(PATHS) + 1, 1)
    output.close()
    assert whole.read_bytes() == before


def test_a_file_cut_off_at_any_byte_is_repaired(whole: Path, kind: type[Any]) -> None:
    content = whole.read_bytes()
    for length in range(len(content)):
        whole.write_bytes(content[:length])
        output = opened(whole, kind)
        for row in [*map(result, PATHS), failure("bad.jpg")]:
            if not output.has(row["path"]):
                output.write(row)
        output.close()
        assert whole.read_bytes() == content, length


def test_zeros_after_a_power_cut_are_dropped(whole: Path, kind: type[Any]) -> None:
    content = whole.read_bytes()
    whole.write_bytes(content + bytes(100))
    opened(whole, kind).close()
    assert whole.read_bytes() == content


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 a photo", b"path;label\n", b"{}\n", b"{"])
def test_another_file_is_refused_and_kept(tmp_path: Path, kind: type[Any], content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content + b"\n" * 100)
    with pytest.raises(OutputError, match="is not an output of this command"):
        opened(path, kind)
    assert path.read_bytes() == content + b"\n" * 100


def test_another_number_of_predictions_is_refused(whole: Path, kind: type[Any]) -> None:
    before = whole.read_bytes()
    with pytest.raises(OutputError, match=r"--top"):
        opened(whole, kind, top_k=3)
    assert whole.read_bytes() == before


def test_another_model_is_refused(whole: Path, kind: type[Any]) -> None:
    with pytest.raises(OutputError, match=r"Row 1 of .* is of the model m, and the model is now n"):
        opened(whole, kind, model="n")


def test_a_foreign_row_in_the_middle_is_refused_by_number(whole: Path, kind: type[Any]) -> None:
    whole.write_bytes(whole.read_bytes() + b"something else\n")
    with pytest.raises(OutputError, match=f"Row {len(PATHS) + 2} of .* is not a row of this"):
        opened(whole, kind)


def test_path_is_one_cell_for_a_spreadsheet_that_separates_at_semicolons() -> None:
    """Given a row of an ordinary name, which has no quotes."""
    odd, plain = (Csv(MODEL, 1).encode(result(name, 1)) for name in ("a;=1+1.jpg", "b.jpg"))
    assert odd == b'"a;=1+1.jpg","cat, tabby",1,0.5,"","","","m"\n'
    assert plain == b'b.jpg,"cat, tabby",1,0.5,,,,m\n'


def test_two_cannot_write_to_one_file(whole: Path, kind: type[Any]) -> None:
    output = opened(whole, kind)
    with pytest.raises(OutputError, match="Another run is writing to"):
        opened(whole, kind)
    output.close()
    opened(whole, kind).close()


def test_a_full_disk_is_one_line(kind: type[Any]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    output = Stream(FileIO(full, "wb"), kind(MODEL, 2))
    with pytest.raises(OutputError, match="No space left on device"):
        output.write(result("a.jpg"))
    output.close()
