"""The OpenAPI document: bodies, responses and examples that FastAPI cannot derive from a route,
because the endpoint of `POST /` reads the request and writes the response itself."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from classifier import errors
from classifier.api import schemas
from classifier.api.problem_types import ProblemType, meaning, problem_types
from classifier.api.responses import PROBLEM_TYPE

Json = dict[str, Any]
Responses = dict[int | str, Json]

IMAGES: Final = "Images"
SERVICE: Final = "Service"
TAGS: Final = [
    {"name": IMAGES, "description": "Classify images."},
    {"name": SERVICE, "description": "The page, health and model of the service."},
]

_REFERENCE: Final = "#/components/schemas/{model}"
_REFERENCES: Final = re.compile(r"#/components/schemas/(\w+)")

_CLASSES: Final[tuple[Json, ...]] = (
    {"label": "Egyptian cat", "index": 285, "wnid": "n02124075", "probability": 0.4},
    {"label": "tabby", "index": 281, "wnid": "n02123045", "probability": 0.3},
    {"label": "espresso", "index": 967, "wnid": "n07920052", "probability": 0.9},
)
_MODEL: Final = "efficientnet-lite0-int8"
_CAT: Final[Json] = {"predictions": list(_CLASSES[:2]), "model": _MODEL}
_COFFEE: Final[Json] = {"predictions": list(_CLASSES[2:]), "model": _MODEL}

_BASE64: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAE0lEQVR42mP8"
    "38OAFTAxMAwlCQA5mAGbpYh4kwAAAABJRU5ErkJggg=="
)
"""A PNG of 8 x 8 orange pixels"""

_CLASSIFY: Final = (
    errors.ImageError,
    errors.UploadError,
    errors.BodyTimeout,
    errors.InvalidParameter,
    errors.QueueFull,
    errors.StoreError,
    errors.TooManyUploads,
)
"""The errors of `POST /`, or their base classes. Errors of HTTP can occur at every path."""

_BUCKET: Final = frozenset(
    {
        errors.InvalidKey,
        errors.KeyNotOffered,
        errors.ObjectNotFound,
        errors.ObjectUnreadable,
        errors.ObjectTooLarge,
        errors.StoreError,
    }
)
_HEADERS: Final[dict[int, Json]] = {
    errors.Unauthorized.status: {
        "WWW-Authenticate": {"description": "The scheme: Bearer", "schema": {"type": "string"}}
    },
    errors.QueueFull.status: {
        "Retry-After": {
            "description": "Seconds to wait before the request is sent again",
            "schema": {"type": "integer"},
        }
    },
}


def classify_body(*, bucket: bool) -> Json:
    """The request body of `POST /`; `bucket`: whether the deployment accepts keys of uploads."""
    json_body = _reference(schemas.Base64Image)
    if bucket:
        json_body = {"oneOf": [json_body, _reference(schemas.UploadedImage)]}
    return {
        "description": "One image as the body itself, also with its own content type "
        "(`image/jpeg`), or one or more images as a form or in base64.",
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": _reference(schemas.ImageForm),
                "encoding": {"file": {"contentType": "image/*"}},
            },
            "application/octet-stream": {"schema": TypeAdapter(schemas.Image).json_schema()},
            "application/json": {
                "schema": json_body,
                "examples": {
                    "one image": {
                        "summary": "One image",
                        "value": {"image": _BASE64, "top_k": 3},
                    },
                    "several images": {
                        "summary": "Several images",
                        "value": {"image": [_BASE64, f"data:image/png;base64,{_BASE64}"]},
                    },
                },
            },
        },
    }


def classify_responses(*, bucket: bool, key: bool) -> Responses:
    """The responses of `POST /`; `key`: whether requests need the API key."""
    wanted = (*_CLASSIFY, errors.Unauthorized) if key else _CLASSIFY
    omitted = {errors.UnreadableFile, *(() if bucket else _BUCKET)}
    found = problem_responses(
        kind for kind in problem_types() if issubclass(kind, wanted) and kind not in omitted
    )
    _examples(found[415])["one of several images"] = _one_of_several()
    return {200: _results(), **found}


def upload_responses(*, key: bool) -> Responses:
    """The problems of `POST /uploads`."""
    kinds: list[ProblemType] = [errors.StoreError, errors.QueueFull]
    return problem_responses([errors.Unauthorized, *kinds] if key else kinds)


def index_responses() -> Responses:
    """The JSON of `GET /`, beside its page."""
    return {200: {"content": {"application/json": {"schema": _reference(schemas.Index)}}}}


def problem_responses(kinds: Iterable[ProblemType]) -> Responses:
    """One response for each status of `kinds`, which are ordered by status, with an example for
    each type."""
    return {
        status.value: _problems(list(of_status))
        for status, of_status in groupby(kinds, key=lambda kind: kind.status)
    }


def complete(app: FastAPI) -> None:
    """Add the schemas to which the bodies and responses of this module refer: FastAPI adds only
    those of a route's parameters and return value."""
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        names = sorted(set(_REFERENCES.findall(str(document["paths"]))))
        _, definitions = models_json_schema(
            [(getattr(schemas, name), "serialization") for name in names], ref_template=_REFERENCE
        )
        document["components"]["schemas"].update(definitions["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _results() -> Json:
    return {
        "description": "`Result` if the request held one image, `Results` if it held several "
        "or if `list` is true.",
        "content": {
            "application/json": {
                "schema": {
                    "title": "Result or results",
                    "oneOf": [_reference(schemas.Result), _reference(schemas.Results)],
                },
                "examples": {
                    "one image": {"summary": "One image", "value": _CAT},
                    "several images": {"summary": "Several images", "value": [_CAT, _COFFEE]},
                },
            }
        },
    }


def _problems(kinds: list[ProblemType]) -> Json:
    status = kinds[0].status
    response = {
        "description": " ".join(dict.fromkeys(map(meaning, kinds))),
        "content": {
            PROBLEM_TYPE: {
                "schema": _reference(schemas.Problem),
                "examples": {kind.slug: _example(kind) for kind in kinds},
            }
        },
    }
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _example(kind: ProblemType) -> Json:
    return {
        "summary": kind.slug,
        "value": {
            "type": f"/problems#{kind.slug}",
            "title": errors.phrase(kind.status),
            "status": kind.status.value,
            "detail": meaning(kind),
        },
    }


def _one_of_several() -> Json:
    """The second of two files is not an image."""
    error = errors.UnsupportedFormat(meaning(errors.UnsupportedFormat))
    numbered = errors.NumberedImageError(error, 2, 2)
    return {
        "summary": "One of several images",
        "value": {**numbered.problem(), "results": [_CAT, error.problem()]},
    }


def _examples(response: Json) -> Json:
    found: Json = response["content"][PROBLEM_TYPE]["examples"]
    return found
