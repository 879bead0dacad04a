"""Checks of RFC 9457 problem details."""

import httpx

from classifier.api import schemas


def assert_problem(response: httpx.Response, status: int, detail: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = schemas.Problem.model_validate(response.json())
    assert problem.status == status
    assert detail in problem.detail
    assert "Traceback" not in response.text
