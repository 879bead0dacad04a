"""The pages at `/docs` and `/problems`: plain HTML, without scripts and other sites."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from classifier.errors import ServiceError

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{base}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page/page.css">
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
<footer>
<p><a href="./">The page</a> · <a href="docs">API</a> · <a href="model">Model card</a></p>
</footer>
</body>
</html>
"""


def docs_response(request: Request, document: Mapping[str, Any]) -> HTMLResponse:
    """The OpenAPI `document`."""
    info = document["info"]
    operations = "\n".join(
        _operation(method.upper(), path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return _response(
        request,
        f"{info['title']}: API",
        f"<p>{escape(info['description'])} For programs: "
        '<a href="openapi.json">openapi.json</a>. <a href="problems">Types of problems</a>.</p>\n'
        f"{operations}",
    )


def problems_response(request: Request) -> HTMLResponse:
    """The types of problems, to which the `type` of each problem refers."""
    rows = "".join(
        f'<section id="{each.slug}"><h2><code>/problems#{each.slug}</code></h2>'
        f"<p>{each.status.value} {each.status.phrase}. {escape(meaning(each))}</p></section>"
        for each in problem_types()
    )
    return _response(request, "Types of problems", rows)


def problem_types() -> list[type[ServiceError]]:
    """One class for each type, ordered by status."""
    found: dict[str, type[ServiceError]] = {}
    for each in _subclasses(ServiceError):
        found.setdefault(each.slug, each)
    return sorted(found.values(), key=lambda each: (each.status, each.slug))


def meaning(problem_type: type[ServiceError]) -> str:
    """The docstring of the class, in one line."""
    return " ".join((problem_type.__doc__ or "").split())


def _subclasses(base: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for each in base.__subclasses__():
        if "slug" in vars(each):
            yield each
        yield from _subclasses(each)


def _response(request: Request, title: str, content: str) -> HTMLResponse:
    """A gateway may put a path in front of the service."""
    root = request.scope.get("root_path", "")
    page = _PAGE.format(
        base=f'<base href="{escape(root)}/">\n' if root else "",
        title=escape(title),
        content=content,
    )
    return HTMLResponse(page, headers=_HEADERS)


def _operation(
    method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> str:
    bodies = operation.get("requestBody", {}).get("content", {})
    responses: Iterable[tuple[str, Mapping[str, Any]]] = operation["responses"].items()
    parts = [
        f"<h2><code>{method} {escape(path)}</code>: {escape(operation['summary'])}</h2>",
        f"<p>{escape(operation.get('description', ''))}</p>",
        _list("Parameters", map(_parameter, operation.get("parameters", []))),
        _list("Body, one of", (f"<code>{escape(each)}</code>" for each in bodies)),
        _list("Responses", (_documented(status, each, document) for status, each in responses)),
    ]
    return f"<section>{''.join(parts)}</section>"


def _list(title: str, entries: Iterable[str]) -> str:
    items = "".join(f"<dd>{each}</dd>" for each in entries)
    return f"<dl><dt>{title}</dt>{items}</dl>" if items else ""


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    values = f"{schema['minimum']} to {schema['maximum']}" if "minimum" in schema else "true"
    return (
        f"<code>{escape(parameter['name'])}</code>: {escape(parameter.get('description', ''))}, "
        f"{values}, {json.dumps(schema['default'])} if not given"
    )


def _documented(status: str, response: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    example = "".join(
        f"<pre><code>{escape(json.dumps(each, indent=2))}</code></pre>"
        for content in response.get("content", {}).values()
        if status.startswith("2")
        for each in _examples(content.get("schema", {}), document)
    )
    return f"<code>{status}</code>: {escape(response['description'])}{example}"


def _examples(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Any]:
    for each in (schema, *schema.get("anyOf", [])):
        name = each.get("$ref", "").rpartition("/")[2]
        if name:
            found: list[Any] = document["components"]["schemas"][name].get("examples", [])
            return found
    return []
