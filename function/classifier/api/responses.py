"""The classes of responses: JSON, problem details, and the page for browsers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from classifier.api.negotiation import VARY
from classifier.errors import ServiceError
from classifier.outcome import to_json

if TYPE_CHECKING:
    from classifier.api.pages.home import Outcome

PROBLEM_TYPE: Final = "application/problem+json"


class JSONResponse(Response):
    """JSON in UTF-8, with a newline at the end for terminals."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content).encode() + b"\n"


class ProblemResponse(JSONResponse):
    """Problem details (RFC 9457) with the status and the headers of `error`."""

    media_type = PROBLEM_TYPE

    def __init__(self, error: ServiceError, /, **members: Any) -> None:
        """`members` are further members of the problem."""
        headers = {"Vary": VARY, **error.headers}
        super().__init__({**error.problem(), **members}, error.status, headers)


def page_response(  # noqa: PLR0913
    request: Request,
    outcomes: "Sequence[Outcome]" = (),
    *,
    model: str = "",
    explains: bool = False,
    status: int = 200,
    headers: Mapping[str, str] = {},
) -> HTMLResponse:
    """The page with `outcomes` below its form."""
    from classifier.api.pages.home import CONTENT_SECURITY_POLICY, render  # not at a cold start

    content = render(
        outcomes,
        model=model,
        explains=explains,
        base_path=_base_path(request),
        address=str(request.base_url),
    )
    fixed = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": VARY}
    return HTMLResponse(content, status, {**fixed, **headers})


def _base_path(request: Request) -> str:
    """The start of the page's links, without a slash at the end; may be empty."""
    scope = request.scope
    root: str = scope.get("app_root_path", scope.get("root_path", ""))  # a mount changes the second
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    # Relative, because a proxy may remove a prefix that the service does not know.
    return root or "/".join([".."] * (path.count(b"/") - 1))
