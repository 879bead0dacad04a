"""The page at `/docs`: Swagger UI, whose files are those of the package fastapi-swagger.

The package's own route has an inline script, which the content security policy forbids, so only
its files are used. It is not imported.
"""

from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from classifier.api.pages.home import STATIC

SWAGGER_UI_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css")

_PACKAGE: Final = "fastapi_swagger"
_FOLDER: Final = "resources"
_TEMPLATES: Final = STATIC.with_name("templates")

# Swagger UI's icons are data: URLs. React sets styles through the DOM, which style-src allows.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


@cache
def swagger_ui_folder() -> Path | None:
    """The folder of `SWAGGER_UI_FILES`; None if the package is missing or has no such files."""
    spec = find_spec(_PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place, _FOLDER)
        if all((folder / name).is_file() for name in SWAGGER_UI_FILES):
            return folder
    return None


def docs_response(request: Request) -> HTMLResponse:
    """Swagger UI; without its package, a sentence that names the package.

    The page has no <base>, unlike the others: Swagger UI keeps the open operation in the URL's
    fragment, and a base would change the path as well. All links are relative to `/docs`.
    """
    name = "docs.html" if swagger_ui_folder() else "docs_missing.html"
    page = (_TEMPLATES / name).read_text("utf-8")
    return HTMLResponse(
        page.replace("<!-- address -->", escape(str(request.base_url))), headers=_HEADERS
    )
