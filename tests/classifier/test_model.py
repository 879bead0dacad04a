"""Pixels -> predictions."""

import numpy as np
import pytest

from classifier.images import read_image
from classifier.model import Model, load_model
from classifier.settings import SHIPPED_MODEL
from tests.support.paths import SAMPLE


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(str(SHIPPED_MODEL))


@pytest.fixture(scope="module")
def pixels(model: Model) -> np.ndarray:
    return read_image(SAMPLE.read_bytes(), model.card.size)


def test_probabilities_of_all_classes_sum_to_one(model: Model, pixels: np.ndarray) -> None:
    probabilities = model.probabilities(pixels)
    assert probabilities.shape == (1000,)
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("top_k", [1, 5, 100, 1000, 2000])
def test_predictions_are_sorted_by_probability(
    model: Model, pixels: np.ndarray, top_k: int
) -> None:
    order = np.argsort(-model.probabilities(pixels), kind="stable")
    predictions = model.predict(pixels, top_k)
    assert [prediction["index"] for prediction in predictions] == order[:top_k].tolist()


def test_equal_probabilities_are_sorted_by_index(
    model: Model, monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    equal = np.full(1000, 0.001, np.float32)
    equal[500] = 0.002
    monkeypatch.setattr(model, "probabilities", lambda _: equal)
    assert [top["index"] for top in model.predict(pixels, 4)] == [500, 0, 1, 2]


@pytest.mark.parametrize("top_k", [1, 5])
def test_output_that_is_not_a_number_is_an_error(
    model: Model, monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray, top_k: int
) -> None:
    with_nan = np.full(1000, 0.001, np.float32)
    with_nan[500] = np.nan
    monkeypatch.setattr(model, "probabilities", lambda _: with_nan)
    with pytest.raises(ArithmeticError):
        model.predict(pixels, top_k)


@pytest.mark.parametrize("warm_up", [True, False])
def test_model_runs_once_at_the_start_if_asked_to(
    warm_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def count(self: Model, pixels: np.ndarray) -> np.ndarray:
        runs.append(pixels)
        return np.zeros(1000, np.float32)

    monkeypatch.setattr(Model, "probabilities", count)
    load_model(str(SHIPPED_MODEL), warm_up=warm_up)
    assert len(runs) == warm_up
