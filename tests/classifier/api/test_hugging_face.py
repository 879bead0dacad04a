"""Requests as Hugging Face's clients send them. tests/clients has the clients themselves."""

import httpx
import pytest

from tests.classifier.api.problem import assert_problem

AGENTS = ["unknown/None; hf_hub/2.4.0; python/3.11.7", "@huggingface/inference/4.13.30"]


@pytest.mark.parametrize("agent", AGENTS)
def test_clients_get_labels_and_scores(client: httpx.Client, sample: bytes, agent: str) -> None:
    predictions = client.post("/", params={"top_k": 3}, content=sample).json()["predictions"]
    response = client.post("/", params={"top_k": 3}, content=sample, headers={"user-agent": agent})
    assert response.json() == [
        {"label": prediction["label"], "score": prediction["probability"]}
        for prediction in predictions
    ]
    assert "User-Agent" in response.headers["vary"]


def test_other_clients_get_results(client: httpx.Client, sample: bytes) -> None:
    headers = {"user-agent": "Mozilla/5.0 huggingface"}
    response = client.post("/", content=sample, headers=headers)
    assert response.json().keys() - {"confident"} == {"predictions", "model"}
    assert "User-Agent" in response.headers["vary"]


@pytest.mark.parametrize("agent", AGENTS)
def test_problems_have_the_member_that_the_clients_show(client: httpx.Client, agent: str) -> None:
    headers = {"user-agent": agent}
    response = client.post("/", content=b"no image", headers=headers)
    assert_problem(response, 415, "This is not an image")
    assert response.json()["error"] == response.json()["detail"]
    malformed = client.post(
        "/", content=b"{", headers={**headers, "content-type": "application/json"}
    )
    assert malformed.json()["error"] == malformed.json()["detail"]


def test_problems_of_other_clients_do_not(client: httpx.Client) -> None:
    assert "error" not in client.post("/", content=b"no image").json()
