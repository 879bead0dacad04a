"""HTTP requests as Lambda events, in every supported shape."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

Shape = Callable[..., dict[str, Any]]


def v2(
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    *,
    query: dict[str, str] | None = None,
    stage: str = "$default",
) -> dict[str, Any]:
    """API Gateway HTTP API, payload format 2.0: the path begins with the stage."""
    whole = path if stage == "$default" else f"/{stage}{path}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": whole,
        "rawQueryString": urlencode(query or {}),
        "headers": {"host": "id.execute-api.eu-central-1.amazonaws.com", **headers},
        "requestContext": {
            "apiId": "id",
            "stage": stage,
            "http": {
                "method": method,
                "path": whole,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
            },
        },
        **_encoded(body),
    }


def function_url(*arguments: Any, **options: Any) -> dict[str, Any]:
    """A function URL: payload format 2.0 without a stage."""
    event = v2(*arguments, **options)
    event["requestContext"]["domainName"] = "id.lambda-url.eu-central-1.on.aws"
    return event


def v1(
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    *,
    query: dict[str, str] | None = None,
    stage: str = "Prod",
) -> dict[str, Any]:
    """API Gateway REST API: only the path in the context contains the stage."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()},
        "pathParameters": {"proxy": path.lstrip("/")},
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/{stage}{path}",
            "stage": stage,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        **_encoded(body),
    }


def alb(
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    *,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Application load balancer."""
    return {
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:::targetgroup/x"}
        },
        "httpMethod": method,
        "path": path,
        "queryStringParameters": query or {},
        "headers": {"host": "lb.example.com", **headers},
        **_encoded(body),
    }


def alb_multi_value(*arguments: Any, **options: Any) -> dict[str, Any]:
    """Application load balancer whose target group has multi-value headers enabled."""
    event = alb(*arguments, **options)
    headers, query = event.pop("headers"), event.pop("queryStringParameters")
    event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    return event


SHAPES: list[Shape] = [v2, function_url, v1, alb, alb_multi_value]


def _encoded(body: bytes) -> dict[str, Any]:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
