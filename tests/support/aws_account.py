"""The quotas of an AWS account, which moto does not have, in front of moto."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

from werkzeug import Response

from tests.support.cloudformation import Application

Json = dict[str, Any]


@dataclass
class Quotas:
    """Answers as the AWS Lambda API Reference, "GetAccountSettings", the Service Quotas API
    Reference, "ListServiceQuotas", and the API Gateway API Reference, "GetAccount", have it;
    everything else is for moto."""

    concurrency: int = 1000
    reserved: int = 0
    """By all functions of the account"""
    memory: int | None = 10_240
    """None: Service Quotas does not list it"""
    http_rate: int = 10_000
    http_burst: int = 5000
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and code of the error, by operation"""

    def around(self, moto: Application) -> Application:
        def application(environ: Json, start: Callable[..., Any]) -> Iterable[bytes]:
            operation = _operation(environ)
            if operation in self.refused:
                return _error(operation, *self.refused[operation])(environ, start)
            if operation == "GetAccountSettings":
                return _json(self._settings())(environ, start)
            if operation == "GetAccount":
                throttle = {"rateLimit": float(self.http_rate), "burstLimit": self.http_burst}
                return _json({"throttleSettings": throttle})(environ, start)
            if operation == "ListServiceQuotas":
                return _json(self._quotas(environ))(environ, start)
            return moto(environ, start)

        return application

    def _settings(self) -> Json:
        return {
            "AccountLimit": {
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
                "ConcurrentExecutions": self.concurrency,
                "TotalCodeSize": 80530636800,
                "UnreservedConcurrentExecutions": self.concurrency - self.reserved,
            },
            "AccountUsage": {"FunctionCount": 1, "TotalCodeSize": 0},
        }

    def _quotas(self, environ: Json) -> Json:
        """Two pages."""
        request = json.loads(_body(environ))
        assert request["ServiceCode"] == "lambda"
        quotas = [
            {
                "ServiceCode": "lambda",
                "QuotaCode": "L-B99A9384",
                "QuotaName": "Concurrent executions",
                "Value": float(self.concurrency),
            }
        ]
        if "NextToken" not in request:
            return {"Quotas": quotas, "NextToken": "second"}
        if self.memory is None:
            return {"Quotas": []}
        return {
            "Quotas": [
                {
                    "ServiceCode": "lambda",
                    "QuotaCode": "L-0",
                    "QuotaName": "Function memory maximum",
                    "Value": float(self.memory),
                    "Unit": "Megabytes",
                }
            ]
        }


def _operation(environ: Json) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target.startswith("ServiceQuotas"):
        return str(target.rpartition(".")[2])
    path = environ["PATH_INFO"]
    if path.endswith("/account-settings"):
        return "GetAccountSettings"
    if path == "/account":
        return "GetAccount"
    if path.endswith("/concurrency"):
        return "GetFunctionConcurrency"
    if environ["REQUEST_METHOD"] == "POST" and path == "/":
        return parse_qs(_body(environ).decode()).get("Action", [""])[0]
    return ""


def _body(environ: Json) -> bytes:
    """The body, which can be read again."""
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(content)
    return content


def _json(content: Json) -> Response:
    return Response(json.dumps(content), content_type="application/x-amz-json-1.1")


def _error(operation: str, status: int, code: str) -> Response:
    message = f"not allowed: {operation}"
    if operation in ("GetCallerIdentity", "DescribeStacks"):  # the query protocol
        return Response(
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error></ErrorResponse>",
            status,
            content_type="text/xml",
        )
    return Response(
        json.dumps({"__type": code, "Message": message}),
        status,
        {"x-amzn-ErrorType": code},
        content_type="application/json",
    )
