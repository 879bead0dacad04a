"""Bodies and responses, for OpenAPI."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel
from pydantic.json_schema import SkipJsonSchema

from classifier.images import FORMATS
from classifier.outcome import MAX_TOP_K

_FORMATS = ", ".join(FORMATS)

# Pydantic describes bytes as `format: binary`. That is from OpenAPI 3.0 and has no meaning in 3.1,
# but client generators use it.
Image = Annotated[bytes, Field(description=f"The bytes of an image: {_FORMATS}")]

Base64 = Annotated[
    str,
    Field(
        min_length=1,
        description=f"An image in base64, or a data URI: {_FORMATS}",
        json_schema_extra={"format": "byte"},
    ),
]


def _without_default(schema: dict[str, Any]) -> None:
    """For a member that is omitted, not null, if it has no value."""
    schema.pop("default", None)


class ImageForm(BaseModel):
    """A form with one image or several."""

    file: Annotated[
        list[Image], Field(min_length=1, description="The images; repeat the field for each")
    ]


class Base64Image(BaseModel):
    """One image or several in base64."""

    image: Annotated[
        Base64 | Annotated[list[Base64], Field(min_length=1)],
        Field(description="The image, or a list of images"),
    ]
    top_k: Annotated[
        int | None,
        Field(ge=1, le=MAX_TOP_K, description="Overrides the query parameter top_k"),
    ] = None


class UploadedImage(BaseModel):
    """An image that was sent to the URL of `POST /uploads`."""

    key: Annotated[str, Field(description="The key that POST /uploads returned")]


class Prediction(BaseModel):
    """One class and its probability."""

    label: Annotated[str, Field(description="Name of the class")]
    index: Annotated[int, Field(ge=0, description="Position of the class in the labels file")]
    wnid: Annotated[str | None, Field(description="WordNet ID, if the class has one")]
    probability: Annotated[float, Field(ge=0, le=1, description="From 0 to 1")]


class Box(BaseModel):
    """A part of the upright image, in pixels."""

    x: Annotated[float, Field(description="Left edge")]
    y: Annotated[float, Field(description="Top edge")]
    width: Annotated[float, Field(gt=0, description="Width")]
    height: Annotated[float, Field(gt=0, description="Height")]


class Explanation(BaseModel):
    """A class activation map: how much each part of the image contributes to the first class."""

    index: Annotated[int, Field(ge=0, description="Position of the class in the labels file")]
    grid: Annotated[
        list[list[float]],
        Field(
            description="Rows of equal cells, from the top left of the box. The mean of all cells "
            "plus a constant of the class is its logit; negative cells are evidence against it"
        ),
    ]
    box: Annotated[Box, Field(description="The part of the image that is the model's input")]


class Result(BaseModel):
    """The result of one image."""

    predictions: Annotated[
        list[Prediction],
        Field(description="The most probable class first; empty if none reaches `min_probability`"),
    ]
    confident: Annotated[
        bool,
        Field(
            default_factory=bool,  # no default in the document: absent does not mean false
            description="Whether the most probable class reaches the `threshold` of `GET /model`, "
            "even if `min_probability` leaves it out; absent if the model has no threshold",
        ),
    ]
    model: Annotated[str, Field(description="Name of the model")]
    explanation: Annotated[
        Explanation | SkipJsonSchema[None],
        Field(description="Present only if `explain` is true", json_schema_extra=_without_default),
    ] = None


class Results(RootModel[list[Result]]):
    """The results of several images, in the order of the request."""


class Problem(BaseModel):
    """Problem details (RFC 9457): the error and the remedy."""

    type: Annotated[str, Field(description="Problem type; /problems lists all")]
    title: Annotated[str, Field(description="Reason phrase of the status")]
    status: Annotated[int, Field(description="HTTP status of the response")]
    detail: Annotated[str, Field(description="The error and the remedy, for people")]
    results: Annotated[
        "list[Result | Problem]",
        Field(
            default_factory=list,
            description="If there are several images: the result or the problem of each, in order",
        ),
    ]


class Index(BaseModel):
    """The name, the model and the documentation of the service."""

    name: Annotated[str, Field(description="Name of the service")]
    model: Annotated[str, Field(description="Name of the model")]
    docs: Annotated[str, Field(description="Path of the documentation")]
    openapi: Annotated[str, Field(description="Path of the OpenAPI document")]


class Health(BaseModel):
    """The service is up and serves `model`."""

    status: Annotated[str, Field(description="ok")]
    model: Annotated[str, Field(description="Name of the model")]


class Status(BaseModel):
    """The state of the process."""

    status: Annotated[str, Field(description="ok")]


class Upload(BaseModel):
    """A presigned POST for an image that is too large for a request."""

    url: Annotated[str, Field(description="Address to which to POST the form")]
    fields: Annotated[dict[str, str], Field(description="Form fields to send before the file")]
    key: Annotated[str, Field(description="The key to send to POST / after the upload")]
    max_bytes: Annotated[int, Field(description="Maximum size of the image in bytes")]
    expires_in: Annotated[int, Field(description="Seconds until the URL expires")]
