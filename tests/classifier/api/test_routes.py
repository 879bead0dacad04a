"""The routing tables: FastAPI's for servers, a smaller one for Lambda, and one endpoint."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from classifier.api import schemas
from classifier.api.app import create_app
from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.classifier.api.problem import assert_problem
from tests.support.gate import serving_gated


@pytest.fixture(scope="module")
def service() -> Service:
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), Metrics(), max_pixels=64_000_000)
    return Service(classifier, Settings(api_key="secret", access_log=False))


@pytest.fixture(scope="module")
def apps(service: Service) -> list[ASGIApp]:
    return [create_app(service), create_lambda_app(service)]


def test_classify_is_a_route_of_the_fastapi_app(service: Service) -> None:
    app = create_app(service)
    (route,) = [
        route
        for route in app.routes
        if isinstance(route, APIRoute) and route.path == "/" and route.methods == {"POST"}
    ]
    operation = app.openapi()["paths"]["/"]["post"]
    assert operation["operationId"] == route.operation_id == "classify"
    assert operation["security"] == [{"key": []}]
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert names == ["top_k", "min_probability", "explain", "list"]
    assert {"200", "401", "422", "503"} <= operation["responses"].keys()


def test_app_starts_without_uvicorn(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers other than uvicorn serve the application, too."""
    monkeypatch.setitem(sys.modules, "classifier.server.install", None)
    monkeypatch.delattr("classifier.server.install", raising=False)
    app = create_app(service)

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(start())
    assert "install uvicorn" in caplog.text


def test_lambda_routes_classify_and_mounts_the_rest(service: Service) -> None:
    table = create_lambda_app(service).app
    assert isinstance(table, Router)
    *aliases, rest = table.routes
    for route, path in zip(aliases, ("/", "/invocations"), strict=True):
        assert isinstance(route, Route)
        assert (route.path, route.methods) == (path, {"POST"})
    assert isinstance(rest, Mount)


@pytest.mark.parametrize(
    ("request_line", "given", "status"),
    [
        (("POST", "/"), {}, 200),
        (("POST", "/?top_k=3"), {}, 200),
        (("POST", "/?top_k=3&top_k=4"), {}, 200),
        (("POST", "/?top_k=0"), {}, 422),
        (("POST", "/?top_k="), {}, 422),
        (("POST", "/?top_k=101"), {}, 422),
        (("POST", "/?top_k=five"), {}, 422),
        (("POST", "/"), {"content-type": "video/mp4"}, 415),
        (("POST", "/"), {"authorization": "Bearer wrong"}, 401),
        (("POST", "/?list=true"), {}, 200),
        (("POST", "/?min_probability=0.2"), {}, 200),
        (("POST", "/?min_probability=1.1"), {}, 422),
        (("POST", "/?list="), {}, 422),
        (("POST", "/invocations?top_k=3"), {}, 200),
        (("POST", "/invocations"), {"content-type": "application/x-image"}, 200),
        (("POST", "/invocations"), {"authorization": "Bearer wrong"}, 401),
        (("GET", "/healthz"), {}, 200),
        (("GET", "/ping"), {}, 200),
        (("GET", "/health"), {}, 200),
        (("GET", "/livez"), {}, 200),
        (("GET", "/readyz"), {}, 200),
        (("GET", "/invocations"), {}, 405),
        (("GET", "/nothing"), {}, 404),
        (("PUT", "/"), {}, 405),
        (("DELETE", "/healthz"), {}, 405),
        (("POST", "/page/page.css"), {}, 405),
    ],
)
def test_both_routing_tables_give_the_same_response(
    apps: list[ASGIApp],
    sample: bytes,
    request_line: tuple[str, str],
    given: dict[str, str],
    status: int,
) -> None:
    headers = {"authorization": "Bearer secret", "content-type": "image/jpeg", **given}

    async def respond(app: ASGIApp) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(*request_line, content=sample, headers=headers)

    first, second = (asyncio.run(respond(app)) for app in apps)
    assert first.status_code == second.status_code == status
    assert first.json() == second.json()
    assert first.headers.get("allow") == second.headers.get("allow")


def test_unknown_path_gets_404_and_unknown_method_405(client: httpx.Client) -> None:
    assert_problem(client.get("/nothing"), 404, "nothing at /nothing")
    refused = client.put("/")
    assert_problem(refused, 405, "PUT is not supported at /")
    assert "POST" in refused.headers["allow"]


def test_healthz_reports_ok(client: httpx.Client) -> None:
    health = schemas.Health.model_validate(client.get("/healthz").json())
    assert health.status == "ok"
    assert client.head("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_need_no_key_and_are_documented(service: Service, path: str) -> None:
    app = create_app(service)

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path)

    response = asyncio.run(get())
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    operation = app.openapi()["paths"][path]["get"]
    assert ("503" in operation["responses"]) == (path == "/readyz")


def test_healthz_responds_while_images_are_classified(tmp_path: Path, sample: bytes) -> None:
    """Given one thread, which is blocked by the first of three images."""
    with (
        ThreadPoolExecutor(1) as threads,
        serving_gated(tmp_path / "log", THREADS="1") as server,
    ):
        post = threads.submit(server.client.post, "/", files=[("file", sample)] * 3)
        server.gate.next()
        assert server.client.get("/healthz").status_code == 200
        assert not post.done()
        server.gate.open()
        assert post.result().status_code == 200


def test_model_returns_the_model_card(client: httpx.Client) -> None:
    card = client.get("/model").json()
    assert card["task"] == "image-classification"
    assert card["license"] == "Apache-2.0"
