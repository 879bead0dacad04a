"""Hugging Face's clients, `huggingface_hub` and `@huggingface/inference`, and their JSON.

They expect a list of labels and scores. Their requests differ from others in nothing but their
`User-Agent` and, if they have parameters, in a JSON body with `inputs`: either selects the list.
"""

from typing import Any, Final

from starlette.requests import Request

from classifier.classifier import Classification

_CLIENTS: Final = ("hf_hub/", "@huggingface/inference/")
"""In their `User-Agent`: `unknown/None; hf_hub/2.4.0; ...`, `@huggingface/inference/4.13.30`"""


def is_client(request: Request) -> bool:
    """Whether the request comes from one of the clients."""
    agent = request.headers.get("user-agent", "")
    return any(name in agent for name in _CLIENTS)


def labels(image: Classification) -> list[dict[str, Any]]:
    """The predictions for an image, most probable first."""
    return [
        {"label": prediction["label"], "score": prediction["probability"]}
        for prediction in image.predictions
    ]
