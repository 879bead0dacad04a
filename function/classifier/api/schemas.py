"""The JSON of responses, for OpenAPI."""

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
    """One class and its probability."""

    label: Annotated[str, Field(description="Name of the class")]
    index: Annotated[int, Field(ge=0, description="Position of the class in the labels file")]
    wnid: Annotated[str | None, Field(description="WordNet id, where the class has one")]
    probability: Annotated[float, Field(ge=0, le=1)]


class Result(BaseModel):
    """The result of one image."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAT]})

    predictions: Annotated[list[Prediction], Field(description="The most probable class first")]
    model: Annotated[str, Field(description="Name of the model")]


class Problem(BaseModel):
    """Problem details (RFC 9457): the error and the remedy."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems#unsupported-format",
                    "title": "Unsupported Media Type",
                    "status": 415,
                    "detail": "This is not an image of an accepted format (JPEG, PNG, ...).",
                }
            ]
        }
    )

    type: Annotated[str, Field(description="Type of the problem; /problems lists all")]
    title: str
    status: int
    detail: str
    results: Annotated[
        list[dict[str, Any]] | None,
        Field(description="With several images: the result of each, or its problem"),
    ] = None


class Health(BaseModel):
    """The service is up and serves `model`."""

    status: str
    model: str


class Upload(BaseModel):
    """A presigned POST for an image that is too large for a request."""

    url: str
    fields: Annotated[dict[str, str], Field(description="Form fields to send before the file")]
    key: str
    max_bytes: int
    expires_in: Annotated[int, Field(description="Seconds until the URL expires")]
