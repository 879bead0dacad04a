"""What OpenAPI cannot read off the routes: the bodies they take, and the problems they answer."""

from typing import Any, Final

from fastapi import FastAPI

from classifier.answers import Problem, Result
from classifier.images import FORMATS
from classifier.problems import CONTENT_TYPE as PROBLEM_TYPE

_FILE: Final = {"type": "string", "format": "binary", "description": f"One of {', '.join(FORMATS)}"}

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
    },
}

CLASSIFY_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": Result | list[Result],
        "description": "A result for one image, a list of results in order for several",
    },
    **{
        status: {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in {
            400: "Malformed multipart body",
            413: "Too many bytes, pixels or images",
            415: "Not an image of an allowed format",
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
