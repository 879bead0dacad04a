"""The page at `/docs`: the OpenAPI document as plain HTML. It needs no script and no other site."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{base}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page/page.css">
</head>
<body>
<main>
<h1>{title}: API</h1>
<p>{description} For programs: <a href="openapi.json">openapi.json</a>.</p>
{operations}
</main>
<footer><p><a href="./">The page</a> · <a href="model">Model card</a></p></footer>
</body>
</html>
"""


def docs_page(document: Mapping[str, Any], base: str = "") -> str:
    """`base` is the path that a gateway puts in front of the service, without a slash at its
    end."""
    operations = "\n".join(
        _operation(method.upper(), path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    info = document["info"]
    return _PAGE.format(
        base=f'<base href="{escape(base)}/">\n' if base else "",
        title=escape(info["title"]),
        description=escape(info["description"]),
        operations=operations,
    )


def _operation(
    method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> str:
    bodies = operation.get("requestBody", {}).get("content", {})
    answers: Iterable[tuple[str, Mapping[str, Any]]] = operation["responses"].items()
    parts = [
        f"<h2><code>{method} {escape(path)}</code>: {escape(operation['summary'])}</h2>",
        f"<p>{escape(operation.get('description', ''))}</p>",
        _list("Parameters", map(_parameter, operation.get("parameters", []))),
        _list("Body, one of", (f"<code>{escape(each)}</code>" for each in bodies)),
        _list("Answers", (_answer(status, each, document) for status, each in answers)),
    ]
    return f"<section>{''.join(parts)}</section>"


def _list(title: str, entries: Iterable[str]) -> str:
    items = "".join(f"<dd>{each}</dd>" for each in entries)
    return f"<dl><dt>{title}</dt>{items}</dl>" if items else ""


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    return (
        f"<code>{escape(parameter['name'])}</code>: {escape(parameter.get('description', ''))}, "
        f"{schema['minimum']} to {schema['maximum']}, {schema['default']} if not given"
    )


def _answer(status: str, response: Mapping[str, Any], document: Mapping[str, Any]) -> str:
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
