"""What OpenAPI cannot read off the routes: the bodies they take, and the problems they answer."""

from typing import Any, Final

from fastapi import FastAPI

from classifier.answers import Problem, Result
from classifier.images import FORMATS
from classifier.problems import CONTENT_TYPE as PROBLEM_TYPE

_FILE: Final = {"type": "string", "format": "binary", "description": f"One of {', '.join(FORMATS)}"}


def problem_response(description: str) -> dict[str, Any]:
    """A response with problem details, for the `responses` of a route."""
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


CLASSIFY_BODY: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": _FILE, "minItems": 1}},
            }
        },
        "image/*": {"schema": _FILE},
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["key"],
                "properties": {"key": {"type": "string", "description": "From POST /uploads"}},
            }
        },
    },
}

CLASSIFY_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": Result | list[Result],
        "description": "A result for one image, a list of results in order for several",
    },
    **{
        status: problem_response(description)
        for status, description in {
            400: "Malformed multipart body",
            403: "A key that POST /uploads did not offer",
            404: "No object under this key, or no longer",
            413: "Too many bytes, pixels or images",
            415: "Not an image of an allowed format",
            502: "The bucket does not answer",
            422: "No file in the request, an image that does not decode, or a wrong parameter",
        }.items()
    },
}


def complete(app: FastAPI) -> None:
    """Put the schema of problems beside those that FastAPI finds by itself."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]
