"""Estimates against measured memory: `make bench-estimates`."""

import json
from pathlib import Path

import pytest

from local.benchmark.photos import kinds
from local.benchmark.photos.pictures import Picture
from local.common.paths import SAMPLE
from tests.hostile import corpus
from tests.measure import estimates
from tests.measure.estimates import HIGHEST, LOWEST, REFUSED, UNDER, Malformed, Row
from tests.measure.peaks import CLEAR_REFS, Cost, cost

linux = pytest.mark.skipif(not CLEAR_REFS.exists(), reason="memory is read from Linux's /proc")

MB = 1_000_000


@pytest.mark.parametrize(
    ("measured", "reserved", "judged"),
    [
        (100 * MB, 100 * MB, 1.0),
        (100 * MB, 120 * MB, 1.2 - 0.04 * 1.048576),
        (100 * MB, 130 * MB, 1.3 - 0.04 * 1.048576),
        (100 * MB, 99 * MB, 0.99),
        (3 * MB, 7 * MB, 1.0),  # within 4 MiB
        (3 * MB, 9 * MB, 3 - 4 * 1.048576 / 3),
        (3 * MB, 2 * MB, 2 / 3),
    ],
)
def test_estimate_may_be_a_little_high_but_never_low(
    measured: int, reserved: int, judged: float
) -> None:
    row = Row("PNG", "1 MP", MB, measured, reserved)
    assert row.judged == pytest.approx(judged)
    assert ("missed" in str(row)) == (not 1 <= judged <= 1.25)


def test_verdict_has_the_extremes_of_accepted_photos() -> None:
    rows = [
        Row("PNG", "12 MP", MB, 100 * MB, 110 * MB),
        Row("PNG", "24 MP", MB, 200 * MB, 190 * MB),
        Row("HEIC", "24 MP", MB, MB, 0, "415: no"),
    ]
    over = [Cost("bomb", 0.1, 9 * MB, 5 * MB)]
    malformed = [Malformed("pngs", 10, over, 3), Malformed("gifs", 5, [], 0)]
    figures = estimates.verdict_figures(rows, malformed)
    highest = 1.1 - 0.04 * 1.048576
    assert figures == pytest.approx({LOWEST: 0.95, HIGHEST: highest, REFUSED: 1, UNDER: 1})


@linux
def test_cost_has_the_reservation_of_the_service() -> None:
    data = kinds.PNGS[0].make(Picture.read(SAMPLE.read_bytes()), (1000, 800))
    found = cost("photo", data)
    assert found.error == ""
    assert found.reserved > 3 * 1000 * 800
    assert found.excess == found.memory - found.reserved


@linux
def test_refused_file_has_no_reservation() -> None:
    found = cost("text", b"text")
    assert found.reserved == 0
    assert found.error.startswith("415: ")


@linux
def test_command_reads_photos_and_malformed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    monkeypatch.setattr("local.benchmark.photos.cache.FOLDER", tmp_path)
    monkeypatch.setattr(estimates, "QUICK_SIZES", ["1"])
    makers = [make for make in corpus.MAKERS if make.__name__ == "not_images"]
    monkeypatch.setattr(corpus, "MAKERS", makers)
    path = tmp_path / "estimates.json"
    # when
    status = estimates.main(["--quick", "--only", "baseline grey", "--json", str(path)])
    # then
    assert status in (0, 1)  # the figures depend on the decoder
    figures = json.loads(path.read_text())
    (row,) = figures["photos"]
    assert (row["kind"], row["size"]) == ("JPEG baseline grey", "1 MP")
    assert row["measured_bytes"] > 0
    assert row["reserved_bytes"] > 0
    assert figures["malformed_files"] > 5
    assert "not_images" in capsys.readouterr().out
