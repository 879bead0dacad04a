"""The probability of the first class of each classified image, as a metric."""

import json
from io import StringIO
from pathlib import Path

import httpx
import numpy as np
import pytest

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL
from classifier.telemetry.emf import EmbeddedMetrics
from tests.support.metrics import Scrape
from tests.support.server import serving, serving_by_command

METRIC = "top_probability"
BOUNDS = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0", "+Inf"]


def buckets(scrape: Scrape) -> dict[str, float]:
    """The number of images up to each bound."""
    return {bound: scrape.value(f"{METRIC}_bucket", le=bound) for bound in BOUNDS}


def first(client: httpx.Client, image: bytes) -> float:
    """The probability of the image's first class."""
    predictions = client.post("/", files={"file": image}).json()["predictions"]
    return float(predictions[0]["probability"])


def test_first_class_of_each_classified_image_is_counted(tmp_path: Path, sample: bytes) -> None:
    with serving(tmp_path / "log") as server:
        assert Scrape(server.client).value(f"{METRIC}_count") == 0
        probability = first(server.client, sample)
        server.client.post("/", files=[("file", sample), ("file", b"no image")])
        server.client.post("/?min_probability=1", files={"file": sample})
        scrape = Scrape(server.client)
    assert buckets(scrape) == {bound: 3 * (probability <= float(bound)) for bound in BOUNDS}
    assert scrape.value(f"{METRIC}_count") == 3
    assert scrape.value(f"{METRIC}_sum") == pytest.approx(3 * probability)


def test_worker_processes_sum_it(tmp_path: Path, sample: bytes) -> None:
    with serving_by_command(tmp_path / "log", "--workers", "2") as server:
        probabilities = []
        for _ in range(12):  # the kernel chooses a worker for each connection
            with httpx.Client(base_url=server.url, timeout=server.client.timeout) as client:
                probabilities.append(first(client, sample))
        scrape = Scrape(server.client)
    assert scrape.value(f"{METRIC}_count") == buckets(scrape)["+Inf"] == 12
    assert scrape.value(f"{METRIC}_sum") == pytest.approx(sum(probabilities))


def test_cloudwatch_gets_it_for_each_image(sample: bytes) -> None:
    output = StringIO()
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), EmbeddedMetrics("function", output))
    result = classifier.classify(sample, 1)
    line = json.loads(output.getvalue())
    assert line["TopProbability"] == result.predictions[0]["probability"]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert {"Name": "TopProbability", "Unit": "None"} in directive["Metrics"]


def test_image_for_which_the_model_returns_nan_is_not_counted(
    sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(str(SHIPPED_MODEL))
    monkeypatch.setattr(model, "probabilities", lambda _: np.full(model.classes, np.nan))
    output = StringIO()
    classifier = Classifier(model, EmbeddedMetrics("function", output))
    with pytest.raises(ArithmeticError, match="not a number"):
        classifier.classify(sample, 5)
    assert output.getvalue() == ""
