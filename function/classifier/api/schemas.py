"""The shapes of the JSON that the service answers with, for readers and for OpenAPI."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_CAT: Final[JsonDict] = {
    "predictions": [
        {"label": "Egyptian cat", "index": 285, "wnid": "n02124075", "probability": 0.4},
        {"label": "tabby", "index": 281, "wnid": "n02123045", "probability": 0.3},
    ],
    "model": "efficientnet-lite0-int8",
}


class Prediction(BaseModel):
    """One class and how probable it is."""

    label: Annotated[str, Field(description="Name of the class")]
    index: Annotated[int, Field(ge=0, description="Position of the class in the labels file")]
    wnid: Annotated[str | None, Field(description="WordNet id, where the class has one")]
    probability: Annotated[float, Field(ge=0, le=1)]


class Result(BaseModel):
    """The answer for one image."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAT]})

    predictions: Annotated[list[Prediction], Field(description="The most probable class first")]
    model: Annotated[str, Field(description="Name of the model that answered")]


class Problem(BaseModel):
    """What went wrong and what to do, as RFC 9457 defines it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unsupported Media Type",
                    "status": 415,
                    "detail": "This is not an image of a format that is accepted (JPEG, PNG, ...).",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    results: Annotated[
        list[dict[str, Any]] | None,
        Field(description="Of several images, each one's result, or the problem it has"),
    ] = None


class Health(BaseModel):
    """The service is up and serves `model`."""

    status: str
    model: str


class Upload(BaseModel):
    """Where to POST an image that is too large for a request, and its key afterwards."""

    url: str
    fields: Annotated[dict[str, str], Field(description="Form fields to send before the file")]
    key: str
    max_bytes: int
    expires_in: Annotated[int, Field(description="Seconds for which the place is kept")]
