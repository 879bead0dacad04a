"""The command that compares predictions for colour spaces."""

from pathlib import Path

import numpy as np
import pytest

from tests.measure import colour
from tests.measure.colour import SPACES, Comparison, compare, is_met, to_inks
from tests.support.pictures import photo

BASELINE = Comparison(agreement=0.95, difference=0.02)


def test_agreement_and_difference_of_probabilities() -> None:
    sure, unsure, other = (np.array(row, np.float32) for row in ([1, 0], [0.75, 0.25], [0, 1]))
    assert compare([sure, sure], [unsure, other]) == Comparison(0.5, (0.25 + 1) / 2)


@pytest.mark.parametrize(
    ("applied", "met"),
    [
        (BASELINE, True),
        (Comparison(1.0, 0.0), True),
        (Comparison(0.93, 0.01), False),
        (Comparison(1.0, 0.03), False),
    ],
)
def test_target_is_the_difference_between_qualities(applied: Comparison, met: bool) -> None:
    assert is_met(applied, BASELINE) == met


def test_inks_print_the_colours_of_the_photo() -> None:
    cat = photo().resize((90, 60))
    printed = SPACES["CMYK"].convert(cat)
    assert printed.mode == "CMYK"
    colours = colour.printed(np.asarray(printed).reshape(-1, 4) / 255)
    assert np.abs(255 * colours - np.asarray(cat).reshape(-1, 3)).max() < 3
    assert np.array_equal(np.asarray(to_inks(cat)), np.asarray(printed))


def test_table_has_a_row_for_each_space(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo().save(tmp_path / "cat.png")
    press = tmp_path / "press.icc"
    press.write_bytes(SPACES["Display P3"].profile)
    monkeypatch.setattr(colour, "SPACES", {"Adobe RGB": SPACES["Adobe RGB"]})
    status = colour.main(["--photos", str(tmp_path), "--profile", str(press), "--count", "1"])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:-1]] == [
        "sRGB, quality 85",
        "Adobe RGB",
        "press",
    ]
    assert (status == 0) == (rows[-1] == "Every target is met.")


@pytest.mark.parametrize("option", ["--photos", "--profile"])
def test_unusable_file_is_refused(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photo().save(tmp_path / "cat.png")
    options = {"--photos": str(tmp_path)} | {option: str(tmp_path / "missing")}
    with pytest.raises(SystemExit) as exit_info:
        colour.main([word for pair in options.items() for word in pair])
    assert exit_info.value.code == 2
    assert "missing" in capsys.readouterr().err
