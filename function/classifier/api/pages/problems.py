"""The page at `/problems`: plain HTML, without scripts."""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from classifier.api.problem_types import meaning, problem_types
from classifier.errors import phrase

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
<title>Problem types</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page/page.css">
</head>
<body>
<main>
<h1>Problem types</h1>
{rows}
</main>
<footer>
<p><a href="./">Home</a> · <a href="docs">API</a> · <a href="model">Model card</a></p>
</footer>
</body>
</html>
"""


def problems_response(request: Request) -> HTMLResponse:
    """The problem types, to which the `type` of each problem refers."""
    rows = "".join(
        f'<section id="{kind.slug}"><h2><code>/problems#{kind.slug}</code></h2>'
        f"<p>{kind.status.value} {phrase(kind.status)}. {escape(meaning(kind))}</p></section>"
        for kind in problem_types()
    )
    # A gateway may put a path in front of the service.
    root = request.scope.get("root_path", "")
    base = f'<base href="{escape(root)}/">\n' if root else ""
    return HTMLResponse(_PAGE.format(base=base, rows=rows), headers=_HEADERS)
