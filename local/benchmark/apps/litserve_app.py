"""The service's classifier behind LitServe. Environment variables: PORT and WORKERS.

Fastest with as many HTTP processes as workers and one image at a time: with one HTTP process it
served a quarter fewer requests, and batches did not help.
"""

import os
from typing import Any

import litserve  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request

from local.benchmark.apps.shared import load_classifier


class ImageClassifier(litserve.LitAPI):  # type: ignore[misc,unused-ignore]
    def setup(self, device: str) -> None:
        self.classifier = load_classifier()

    def decode_request(self, request: Request) -> bytes:
        content: bytes = request["file"].file.read()  # LitServe passes the form, not the request
        return content

    def predict(self, image: bytes) -> dict[str, Any]:
        return {"predictions": self.classifier.classify(image, 5).predictions}

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    workers = int(os.environ["WORKERS"])
    server = litserve.LitServer(ImageClassifier(), accelerator="cpu", workers_per_device=workers)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=workers,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
