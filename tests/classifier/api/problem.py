"""Checks of RFC 9457 problem details."""

import httpx

from classifier.api import schemas


def assert_problem(answer: httpx.Response, status: int, detail: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = schemas.Problem.model_validate(answer.json())
    assert problem.status == status
    assert detail in problem.detail
    assert "Traceback" not in answer.text
