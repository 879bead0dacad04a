"""What OpenAPI cannot read off the routes: the bodies they take, and the problems they answer."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from classifier.api.problems import CONTENT_TYPE as PROBLEM_TYPE
from classifier.api.schemas import Problem, Result
from classifier.images.read import FORMATS
from classifier.settings import Settings

_FILE: Final = {"type": "string", "format": "binary", "description": f"One of {', '.join(FORMATS)}"}


def problem_response(description: str) -> dict[str, Any]:
    """A response with problem details, for the `responses` of a route."""
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_FORM: Final = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": _FILE, "minItems": 1}},
    },
    "encoding": {"file": {"contentType": "image/*"}},
}

_KEY_OF_AN_UPLOAD: Final = {
    "schema": {
        "type": "object",
        "required": ["key"],
        "properties": {"key": {"type": "string", "description": "From POST /uploads"}},
    }
}

_PROBLEMS: Final = {
    400: "Malformed multipart body",
    408: "The body did not arrive in time",
    413: "Too many bytes, pixels or images",
    415: "Not an image of an allowed format",
    422: "No file in the request, an image that does not decode, or a wrong parameter",
    503: "Too many requests; Retry-After tells when to try again",
}

_PROBLEMS_WITH_BUCKET: Final = {
    403: "A key that POST /uploads did not offer",
    404: "No object under this key, or no longer",
    502: "The bucket does not answer",
}

_PROBLEM_WITH_KEY: Final = {401: "The request has not the key of the service"}

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
}

_RESULTS: Final = {
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
}

_KEY: Final = {"type": "http", "scheme": "bearer"}


def complete(app: FastAPI, settings: Settings) -> None:
    """Put in what FastAPI cannot find: `POST /`, which is no route of its, the schemas of problems
    and results, and the key."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        paths, components = document["paths"], document["components"]
        paths["/"]["post"] = _classify(settings)
        _, definitions = models_json_schema(
            [(Result, "serialization"), (Problem, "serialization")],
            ref_template="#/components/schemas/{model}",
        )
        components["schemas"] |= definitions["$defs"]
        if settings.api_key:
            components["securitySchemes"] = {"key": _KEY}
            for operation in (each["post"] for each in paths.values() if "post" in each):
                operation["security"] = [{"key": []}]
                operation["responses"] |= _problem_responses(_PROBLEM_WITH_KEY)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _classify(settings: Settings) -> dict[str, Any]:
    bodies = {"multipart/form-data": _FORM, "image/*": {"schema": _FILE}}
    problems = _PROBLEMS
    if settings.bucket:
        bodies["application/json"] = _KEY_OF_AN_UPLOAD
        problems = dict(sorted((_PROBLEMS | _PROBLEMS_WITH_BUCKET).items()))
    return {
        **_CLASSIFY,
        "requestBody": {"required": True, "content": bodies},
        "responses": {"200": _RESULTS, **_problem_responses(problems)},
    }


def _problem_responses(descriptions: dict[int, str]) -> dict[str, Any]:
    return {str(status): problem_response(text) for status, text in descriptions.items()}
