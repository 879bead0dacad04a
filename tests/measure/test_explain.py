"""The command that covers parts of photos, and that the map of the sample photo is right."""

from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import CARD_FILE
from classifier.model import Model, load_model
from local.common.cli import UsageError
from local.models.photos import Preprocessing, read_pixels
from tests.measure.explain import (
    COVERS,
    GREY,
    OWN,
    Cover,
    Losses,
    Occlusion,
    chance,
    hidden,
    interval,
    is_better,
    main,
    measure,
    report,
    with_controls,
)
from tests.support.explaining import explaining_model, unexplaining_model
from tests.support.paths import SAMPLE
from tests.support.pictures import photo

LARGE = Cover(cells=3, mean=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return explaining_model(tmp_path_factory.mktemp("explaining"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(str(folder))


@pytest.fixture(scope="module")
def sample(model: Model) -> Occlusion:
    card = model.card
    preprocessing = Preprocessing(card.size, card.crop_fraction, card.interpolation, card.resize)
    (pixels,) = read_pixels([SAMPLE], preprocessing)
    return Occlusion(model, pixels)


@pytest.mark.parametrize("mean", [True, False])
def test_hottest_cells_of_the_sample_matter_and_those_of_its_mirrored_map_do_not(
    sample: Occlusion, mean: bool
) -> None:
    cover = LARGE._replace(mean=mean)
    hottest, coldest = sample.losses(cover, sample.grid)
    assert hottest - coldest > 0.05
    hottest, coldest = sample.losses(cover, sample.grid[:, ::-1])
    assert hottest - coldest < 0


def test_cover_has_the_middle_of_its_cell() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[0] = 80
    found = hidden(pixels, Cover(cells=1, mean=True), (4, 4), 1, 2)
    assert np.argwhere(found[1:, :, 0]).tolist() == [[1, 4], [1, 5], [2, 4], [2, 5]]
    assert set(found[2, 4]) == {10}  # the mean colour
    # then a larger one, with another colour, ends at the edge
    found = hidden(pixels, Cover(cells=3, mean=False), (4, 4), 3, 0)
    assert (found[4:, :4] == GREY).all()
    assert (found == GREY).sum() == 4 * 4 * 3


def test_controls_are_other_maps() -> None:
    grid, other = np.arange(4.0).reshape(2, 2), np.ones((2, 2))
    assert {name: each.tolist() for name, each in with_controls(grid, other).items()} == {
        OWN: [[0, 1], [2, 3]],
        "mirrored": [[1, 0], [3, 2]],
        "transposed": [[0, 2], [1, 3]],
        "another": [[1, 1], [1, 1]],
    }


def test_interval_and_chance_are_those_of_the_tables() -> None:
    """Of Wilson's interval and the sign test."""
    assert interval(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert interval(10, 10) == pytest.approx((0.722, 1), abs=1e-3)
    ten = np.arange(10)
    assert chance(ten < 9, ten >= 9) == pytest.approx(11 / 1024)
    assert chance(ten < 5, ten < 5) == 1


def losses(share: float, hottest: float = 0.3) -> Losses:
    """Of 100 photos, of which a share is right."""
    values = np.full(100, hottest)
    return Losses(values, np.where(np.arange(100) < 100 * share, hottest - 0.2, hottest + 0.1))


def test_verdict_needs_a_difference_that_chance_excludes() -> None:
    wrong = losses(0.6, hottest=0.2)
    assert is_better({OWN: losses(0.9), "mirrored": wrong})
    assert not is_better({OWN: losses(0.63), "mirrored": wrong})
    assert not is_better({OWN: losses(0.9), "mirrored": wrong, "another": losses(0.9, 0.2)})
    assert not is_better({OWN: losses(0.9, hottest=0.1), "mirrored": wrong})


def test_report_says_which_covers_miss_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = losses(0.5, hottest=0.1)
    small = {OWN: losses(0.7), "mirrored": losses(0.65)}  # it decides nothing
    assert report({COVERS[0]: small, LARGE: {OWN: losses(0.95), "mirrored": wrong}}, 32)
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in out.splitlines()]
    assert rows[2][0] == "32 px, mean colour"
    assert rows[2][1:4] == ["70.0%", "60.4% to 78.1%", "65.0%"]
    assert [row[-1] for row in rows[2:4]] == ["missed", "met"]
    # then a map that is no better than a wrong one is reported, too
    assert not report({LARGE: {OWN: wrong, "mirrored": losses(0.7)}}, 32)
    assert "Not better than the wrong maps: 96 px, mean colour." in capsys.readouterr().out


def test_each_photo_is_compared_with_the_map_of_another(model: Model) -> None:
    pictures = [photo(name).resize((224, 224)) for name in ("chelsea.png", "coffee.png")]
    pixels = [np.asarray(picture) for picture in pictures]
    found = measure(model, pixels, [LARGE])[LARGE]
    first, second = (Occlusion(model, each) for each in pixels)
    expected = [first.losses(LARGE, second.grid), second.losses(LARGE, first.grid)]
    assert np.transpose(found["another"]).tolist() == [list(pair) for pair in expected]
    assert found[OWN].hottest[0] == first.losses(LARGE, first.grid)[0]


def test_command_prints_a_row_for_each_cover(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo("coffee.png").save(tmp_path / "coffee.png")
    given = ["--photos", str(tmp_path), "--split", "all", "--model", str(folder)]
    assert main(given) == 1  # one photo may be chance
    rows = capsys.readouterr().out.splitlines()
    assert "1 photos (all)" in rows[1]
    assert [row.split("|")[1].strip() for row in rows[4:-1]] == [
        f"{side} px, {colour}" for side in (32, 64, 96) for colour in ("mean colour", "grey")
    ]


def test_unusable_folders_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    photo("coffee.png").save(tmp_path / "coffee.png")
    plain = unexplaining_model(tmp_path)
    for model, message in (
        (plain, "has no class activation map"),
        (tmp_path / "missing", CARD_FILE),
        (folder, "has a known class"),
    ):
        with pytest.raises(UsageError, match=message):
            main(["--photos", str(tmp_path), "--model", str(model)])
