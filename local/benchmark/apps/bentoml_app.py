"""The service's classifier behind BentoML. Environment variable: WORKERS.

A coroutine that blocks its process took less CPU than a function that BentoML runs in a thread.
Metrics and access log are off, as they cost CPU.
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
