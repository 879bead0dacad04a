"""Equal decisions of two models, and the photos that measure them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from local.models.agreement import agreement
from local.models.holdout import hold_out, views


def array(*rows: list[float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def test_most_probable_classes_are_compared() -> None:
    reference = array([0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.2, 0.8])
    other = array([0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.3, 0.7])
    assert agreement(reference, other) == 0.75


def test_a_multi_label_model_that_finds_nothing_does_not_agree() -> None:
    reference = array([0.9, 0.1, 0.1, 0.1, 0.1], [0.1, 0.8, 0.2, 0.1, 0.1])
    nothing = np.full_like(reference, 0.1)
    assert agreement(reference, reference) == 1
    assert agreement(reference, nothing) == 0.5


def test_a_multi_label_reference_that_finds_nothing_is_compared_too() -> None:
    reference = array([0.1, 0.1, 0.1, 0.1])
    assert agreement(reference, array([0.1, 0.9, 0.1, 0.1])) == 0.75


def test_outputs_that_are_no_numbers_do_not_agree() -> None:
    assert agreement(array([0.6, 0.4]), array([np.nan, np.nan])) == 0


@pytest.mark.parametrize(
    ("photos", "held_out"), [(10, 5), (20, 10), (39, 19), (60, 20), (100, 20), (501, 100)]
)
def test_every_fifth_photo_is_held_out_and_more_of_few(photos: int, held_out: int) -> None:
    paths = [Path(f"{number:03}.jpg") for number in range(photos)]
    split = hold_out(paths, "all")
    assert split.held_out
    assert len(split.measured) == held_out
    assert sorted([*split.calibration, *split.measured]) == paths


def test_fewer_than_ten_photos_calibrate_and_measure() -> None:
    paths = [Path(f"{number}.jpg") for number in range(9)]
    assert hold_out(paths, "all") == (paths, paths, False)


def test_photos_of_a_split_all_calibrate() -> None:
    paths = [Path(f"{number}.jpg") for number in range(90)]
    assert hold_out(paths, "calibration") == (paths, [], False)


def test_each_photo_is_also_measured_mirrored() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 1, 4, 3)
    first, second = views(pixels)
    assert (first == pixels[0]).all()
    assert (second[:, 0] == pixels[0, :, 3]).all()
