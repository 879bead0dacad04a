"""The corpus of requests through the Lambda handler.

A gateway has parsed the request: it has refused what is malformed, checked the Host, removed the
chunks, and passes on one request at a time. What remains are headers that a function must not act
on.
"""

from email.parser import BytesHeaderParser
from email.policy import HTTP
from typing import Any, Final

import pytest
from starlette.types import ASGIApp

from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.aws_lambda.http_events import create_http_handler
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.classifier.server.http_corpus import CORPUS, Case
from tests.support.lambda_events import SHAPES, Shape

_PASSED_ON: Final = [
    case
    for case in CORPUS
    if len(case.outcomes[0].seen) == 1
    and not case.outcomes[0].refusals
    and not case.name.startswith("Host ")
]


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), Metrics(), max_pixels=64_000_000)
    service = Service(classifier, Settings(access_log=False))
    return create_lambda_app(service)


@pytest.fixture
def handle(app: ASGIApp) -> Any:
    return create_http_handler(app, "")


@pytest.mark.parametrize("case", _PASSED_ON, ids=str)
def test_handler_responds_as_uvicorn_does(handle: Any, case: Case) -> None:
    (seen,) = case.outcomes[0].seen
    for shape in SHAPES:
        response = handle(_event(case, shape), None)
        assert response["statusCode"] == seen.status, shape.__name__


def _event(case: Case, shape: Shape) -> dict[str, Any]:
    (seen,) = case.outcomes[0].seen
    _, _, lines = case.sent.lstrip().partition(b"\r\n")
    headers = BytesHeaderParser(policy=HTTP).parsebytes(lines)
    names = {name.lower() for name in headers}
    return shape(seen.method, seen.path, seen.body, {name: str(headers[name]) for name in names})
