"""The route of a request: one of a few names, whatever paths clients invent."""

from typing import Final

from starlette.types import Scope

UNMATCHED: Final = "unmatched"
"""The route of a request that no route has taken, among them CORS preflights"""


def route_of(scope: Scope) -> str:
    """The path template of the route that took the request, without a gateway's prefix; of a mount
    of files, its path; or `UNMATCHED`. Called after the application."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None and scope.get("endpoint") is not None:
        path = _mount_path(scope) or _path_of_endpoint(scope)
    return path or UNMATCHED


def _mount_path(scope: Scope) -> str:
    """Starlette adds the path of a mount to `root_path`, and keeps the one of before."""
    before: str | None = scope.get("app_root_path")
    return "" if before is None else str(scope["root_path"])[len(before) :]


def _path_of_endpoint(scope: Scope) -> str | None:
    """FastAPI puts its own routes into the scope, but not Starlette's, such as /openapi.json."""
    for route in scope["app"].routes:
        if getattr(route, "endpoint", None) is scope["endpoint"]:
            path: str | None = getattr(route, "path", None)
            return path
    return None
