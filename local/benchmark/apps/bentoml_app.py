"""The service's classifier behind BentoML: WORKERS is an environment variable.

A coroutine that occupies its process took less CPU than a function that BentoML calls in a thread;
the metrics and the access log cost more and tell nothing here.
"""

import os
from pathlib import Path
from typing import Any

import bentoml  # type: ignore[import-not-found,unused-ignore]

from local.benchmark.apps.shared import load_classifier


@bentoml.service(
    workers=int(os.environ["WORKERS"]),
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class ImageClassifier:
    def __init__(self) -> None:
        self.classifier = load_classifier()

    @bentoml.api(route="/classify")  # type: ignore[untyped-decorator,unused-ignore]
    async def classify(self, file: Path) -> dict[str, Any]:
        return {"predictions": self.classifier.classify(file.read_bytes(), 5).predictions}
