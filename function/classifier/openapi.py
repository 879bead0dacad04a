"""What OpenAPI cannot read off the routes: the bodies they take, and the problems they answer."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

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


_BODY: Final = {
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

_PROBLEMS: Final = {
    400: "Malformed multipart body",
    401: "The service has a key, and the request does not",
    403: "A key that POST /uploads did not offer",
    404: "No object under this key, or no longer",
    408: "The body did not arrive in time",
    413: "Too many bytes, pixels or images",
    415: "Not an image of an allowed format",
    422: "No file in the request, an image that does not decode, or a wrong parameter",
    502: "The bucket does not answer",
    503: "Too many requests; Retry-After tells when to try again",
}

_CLASSIFY: Final[dict[str, Any]] = {
    "summary": "Classify one image or several",
    "description": "The answer is a result for one image, and a list of results, in order, for "
    "several.",
    "operationId": "classify",
    "parameters": [
        {
            "name": "top_k",
            "in": "query",
            "description": "Classes to answer with",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
        }
    ],
    "requestBody": _BODY,
    "responses": {
        "200": {
            "description": "The most probable class first",
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/Result"},
                            {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
                        ]
                    }
                }
            },
        },
        **{str(status): problem_response(text) for status, text in _PROBLEMS.items()},
    },
}

_KEY: Final = {"type": "http", "scheme": "bearer"}


def complete(app: FastAPI, *, with_key: bool) -> None:
    """Put in what FastAPI cannot find: `POST /`, which is no route of its, and the schemas of
    problems and results. `with_key` tells whether who POSTs needs one."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        paths = document["paths"]
        if "post" in paths["/"]:  # the document is made once
            return document
        paths["/"]["post"] = _CLASSIFY
        _, definitions = models_json_schema(
            [(Result, "serialization"), (Problem, "serialization")],
            ref_template="#/components/schemas/{model}",
        )
        document["components"]["schemas"] |= definitions["$defs"]
        if with_key:
            document["components"]["securitySchemes"] = {"key": _KEY}
            for path in ("/", "/uploads"):
                paths[path]["post"] = {**paths[path]["post"], "security": [{"key": []}]}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
