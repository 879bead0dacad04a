"""The routing tables: FastAPI's for servers, a lean one for Lambda, and one endpoint."""

import asyncio

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route

from classifier.api.app import create_app
from classifier.api.classify import parse_top_k
from classifier.api.lambda_app import create_lambda_app
from classifier.api.service import Service
from classifier.classifier import Classifier
from classifier.errors import InvalidParameter
from classifier.model import load_model
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics


@pytest.fixture(scope="module")
def service() -> Service:
    classifier = Classifier(load_model(str(SHIPPED_MODEL)), Metrics(), max_pixels=64_000_000)
    return Service(classifier, Settings(api_key="secret", access_log=False))


@pytest.fixture(scope="module")
def apps(service: Service) -> list[Starlette]:
    return [create_app(service), create_lambda_app(service)]


def test_classify_is_a_route_of_the_fastapi_app(service: Service) -> None:
    app = create_app(service)
    (route,) = [
        each
        for each in app.routes
        if isinstance(each, APIRoute) and each.path == "/" and each.methods == {"POST"}
    ]
    operation = app.openapi()["paths"]["/"]["post"]
    assert operation["operationId"] == route.operation_id == "classify"
    assert operation["security"] == [{"key": []}]
    assert [each["name"] for each in operation["parameters"]] == ["top_k"]
    assert {"200", "401", "422", "503"} <= operation["responses"].keys()


def test_lambda_routes_classify_and_mounts_the_rest(service: Service) -> None:
    classify, rest = create_lambda_app(service).routes
    assert isinstance(classify, Route)
    assert (classify.path, classify.methods) == ("/", {"POST"})
    assert isinstance(rest, Mount)


@pytest.mark.parametrize(
    ("asked", "given", "status"),
    [
        (("POST", "/"), {}, 200),
        (("POST", "/?top_k=3"), {}, 200),
        (("POST", "/?top_k=3&top_k=4"), {}, 200),
        (("POST", "/?top_k=0"), {}, 422),
        (("POST", "/?top_k="), {}, 422),
        (("POST", "/?top_k=101"), {}, 422),
        (("POST", "/?top_k=five"), {}, 422),
        (("POST", "/"), {"content-type": "text/plain"}, 415),
        (("POST", "/"), {"authorization": "Bearer wrong"}, 401),
        (("GET", "/healthz"), {}, 200),
        (("GET", "/nothing"), {}, 404),
        (("PUT", "/"), {}, 405),
        (("DELETE", "/healthz"), {}, 405),
        (("POST", "/page/page.css"), {}, 405),
    ],
)
def test_both_tables_give_the_same_response(
    apps: list[Starlette], sample: bytes, asked: tuple[str, str], given: dict[str, str], status: int
) -> None:
    headers = {"authorization": "Bearer secret", "content-type": "image/jpeg", **given}

    async def respond(app: Starlette) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(*asked, content=sample, headers=headers)

    first, second = (asyncio.run(respond(app)) for app in apps)
    assert first.status_code == second.status_code == status
    assert first.json() == second.json()
    assert first.headers.get("allow") == second.headers.get("allow")


@pytest.mark.parametrize("value", ["0", "101", "-1", "+5", "1.5", "", "five", "٣", "9" * 5000])
def test_invalid_top_k(value: str) -> None:
    with pytest.raises(InvalidParameter, match="top_k must be a whole number from 1 to 100"):
        parse_top_k(value)


def test_valid_top_k() -> None:
    assert [parse_top_k(value) for value in (None, "1", "100")] == [5, 1, 100]


def test_page_assets_are_revalidated(client: httpx.Client) -> None:
    first = client.get("/page/page.css")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/page/page.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_endpoint_needs_no_framework() -> None:
    """Its parameters are a Starlette request and a number."""
    from classifier.api.classify import ClassifyEndpoint

    assert ClassifyEndpoint.__call__.__annotations__["request"] is Request
