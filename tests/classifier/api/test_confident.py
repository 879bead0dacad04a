"""`confident`: whether the first class reaches the threshold of the model card."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifier.api import schemas
from classifier.artifact import ModelCard
from tests.classifier.batch.command import classify as classify_files
from tests.support.paths import SAMPLE, SHIPPED_MODEL
from tests.support.pictures import encode, photo
from tests.support.server import serving

PAGE = {"accept": "text/html", "sec-fetch-mode": "navigate"}


def with_confidence(folder: Path, confidence: dict[str, Any] | None) -> Path:
    """A copy of the shipped model whose card has this entry."""
    copy = Path(shutil.copytree(SHIPPED_MODEL, folder))
    card = json.loads((copy / "model.json").read_text("utf-8"))
    card["confidence"] = confidence
    (copy / "model.json").write_text(json.dumps(card), "utf-8")
    return copy


def post(client: httpx.Client, image: bytes, **params: Any) -> dict[str, Any]:
    response = client.post("/", params=params, files={"file": image})
    assert response.status_code == 200
    result: dict[str, Any] = response.json()
    return result


@pytest.fixture(scope="module")
def photos(client: httpx.Client, sample: bytes) -> tuple[bytes, bytes]:
    """Two photos; the first class of the second is more probable."""
    found = [sample, encode(photo("coffee.png"), "PNG")]
    found.sort(key=lambda image: post(client, image)["predictions"][0]["probability"])
    return found[0], found[1]


@pytest.fixture(scope="module")
def threshold(client: httpx.Client, photos: tuple[bytes, bytes]) -> float:
    """That of the second photo, above that of the first."""
    first, second = (post(client, image)["predictions"][0]["probability"] for image in photos)
    assert first < second
    return float(second)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, threshold: float) -> Path:
    return with_confidence(tmp_path_factory.mktemp("sure") / "model", {"threshold": threshold})


@pytest.fixture(scope="module")
def sure(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[httpx.Client]:
    """A service whose model has the threshold."""
    log = tmp_path_factory.mktemp("log") / "log"
    with serving(log, MODEL_DIR=str(model)) as server:
        yield server.client


def test_only_a_first_class_with_the_threshold_is_confident(
    sure: httpx.Client, photos: tuple[bytes, bytes]
) -> None:
    results = [post(sure, image) for image in photos]
    assert [result["confident"] for result in results] == [False, True]
    for result in results:
        assert schemas.Result.model_validate(result).model_dump(exclude_unset=True) == result


def test_predictions_that_are_left_out_do_not_change_it(
    sure: httpx.Client, photos: tuple[bytes, bytes]
) -> None:
    results = [post(sure, image, min_probability=1, top_k=1) for image in photos]
    assert [result["predictions"] for result in results] == [[], []]
    assert [result["confident"] for result in results] == [False, True]


def test_hugging_faces_form_has_only_labels_and_scores(
    sure: httpx.Client, photos: tuple[bytes, bytes]
) -> None:
    headers = {"user-agent": "unknown/None; hf_hub/1.0.0"}
    found = sure.post("/", content=photos[0], headers=headers).json()
    assert {name for each in found for name in each} == {"label", "score"}


def test_the_page_names_the_probability_and_the_threshold(
    sure: httpx.Client, photos: tuple[bytes, bytes], threshold: float
) -> None:
    unsure, certain = (sure.post("/", files={"file": image}, headers=PAGE).text for image in photos)
    probability = post(sure, photos[0])["predictions"][0]["probability"]
    assert f"Not sure: the first class has {probability:.1%}," in unsure
    assert f"less than the model's threshold of {threshold:.0%}." in unsure
    assert "Not sure" not in certain


def test_files_have_it_as_json_and_as_a_column(
    model: Path, photos: tuple[bytes, bytes], tmp_path: Path
) -> None:
    for name, image in zip(("a.png", "b.png"), photos, strict=True):
        (tmp_path / name).write_bytes(image)
    (tmp_path / "c.png").write_bytes(b"not an image")
    outputs = tmp_path / "rows.jsonl", tmp_path / "rows.csv"
    classify_files(
        tmp_path, "--jsonl", outputs[0], "--csv", outputs[1], "--top", 1, MODEL_DIR=str(model)
    )
    rows = [json.loads(line) for line in outputs[0].read_text().splitlines()]
    assert {row["path"][-5:]: row.get("confident") for row in rows} == {
        "a.png": False,
        "b.png": True,
        "c.png": None,
    }
    header, *lines = (line.split(",") for line in outputs[1].read_text("utf-8-sig").splitlines())
    column = header.index("confident")
    assert {line[0][-5:]: line[column] for line in lines} == {
        "a.png": "false",
        "b.png": "true",
        "c.png": "",
    }


@pytest.mark.parametrize("confidence", [None, {"temperature": 0.8}])
def test_without_a_threshold_no_result_has_it(
    tmp_path: Path, confidence: dict[str, Any] | None
) -> None:
    model = with_confidence(tmp_path / "model", confidence)
    rows = tmp_path / "rows.jsonl"
    classify_files(SAMPLE, "--jsonl", rows, MODEL_DIR=str(model))
    assert json.loads(rows.read_text()).keys() == {"path", "predictions", "model"}


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "nan", "high"])
def test_an_invalid_threshold_is_not_of_a_model_card(threshold: object) -> None:
    card = json.loads((SHIPPED_MODEL / "model.json").read_bytes())
    card["confidence"] = {"threshold": threshold}
    with pytest.raises(ValueError, match=r"threshold|could not convert"):
        ModelCard.parse(json.dumps(card).encode())
