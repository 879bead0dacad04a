"""The quotas of an account and its deployed stack, through boto3."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from local.common.cli import UsageError

MEMORY_QUOTA: Final = "Function memory maximum"
"""Its name in Service Quotas, in lower case or not"""

_FUNCTION: Final = "Classifier"
"""The function's logical id in the template"""

HTTP_RATE: Final = 10_000
HTTP_BURST: Final = 5000
"""Of all APIs of an account, by default; in some regions a quarter (Amazon API Gateway Developer
Guide, "Amazon API Gateway quotas")"""

Answer = TypeVar("Answer")

_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_NOT_VALID: Final = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    *("UnrecognizedClientException", "InvalidAccessKeyId"),
}


@dataclass(frozen=True)
class Account:
    """Quotas are those of the account in the region; `memory` is in MB, None if it is not known.
    `http_rate` and `http_burst` are those of all its APIs together, in requests per second and in
    requests. `reserved` is what the stack's function has reserved already, 0 for a new stack, and
    `deployed` are the stack's parameters, which an update keeps."""

    number: str
    region: str
    concurrency: int
    unreserved: int
    memory: int | None
    http_rate: int
    http_burst: int
    reserved: int
    deployed: Mapping[str, str]
    notes: tuple[str, ...] = ()
    """What could not be asked"""


def ask(*, profile: str | None, region: str | None, stack: str) -> Account:
    """Ask AWS. Raises `UsageError` if there are no credentials, no region or no answer."""
    try:
        return _Asker(boto3.Session(profile_name=profile, region_name=region)).account(stack)
    except (NoCredentialsError, PartialCredentialsError):
        raise UsageError(
            "There are no AWS credentials. Run `aws configure`, set AWS_PROFILE, or name one: "
            "--profile NAME"
        ) from None
    except ProfileNotFound as error:
        raise UsageError(f"{error}. `aws configure list-profiles` lists them.") from None
    except NoRegionError:
        raise UsageError(
            "There is no region. Name it: --region eu-central-1, or set AWS_DEFAULT_REGION."
        ) from None
    except EndpointConnectionError as error:
        raise UsageError(f"AWS does not respond: {error} Is the region right?") from None
    except EOFError:
        raise UsageError(
            "The AWS profile asks for an MFA code. Run this command in a terminal."
        ) from None
    except ResponseParserError:
        raise UsageError(
            "A response is not one of AWS. Check the proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL."
        ) from None
    except (BotoCoreError, OSError) as error:  # the latter: credentials of a file or a program
        raise UsageError(f"AWS cannot be queried: {' '.join(str(error).split())}") from None


class _Asker:
    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self._notes: list[str] = []

    def account(self, stack: str) -> Account:
        number = str(self._needed("sts", "get_caller_identity")["Account"])
        limits = self._needed("lambda", "get_account_settings")["AccountLimit"]
        memory = self._optional(
            self._memory, "servicequotas:ListServiceQuotas", "the quota of memory is not known"
        )
        rate, burst = self._optional(
            self._throttle,
            "apigateway:GET",
            f"APIs are taken to get {HTTP_RATE} requests per second",
        ) or (HTTP_RATE, HTTP_BURST)
        deployed = self._optional(
            lambda: self._parameters(stack),
            "cloudformation:DescribeStacks",
            f"the stack {stack!r} is taken to be new",
        )
        reserved = self._optional(
            lambda: self._reserved(stack) if deployed else 0,
            "cloudformation:DescribeStackResource or lambda:GetFunctionConcurrency",
            "the function is taken to have no reservation",
        )
        return Account(
            number,
            str(self._session.region_name),
            int(limits["ConcurrentExecutions"]),
            int(limits["UnreservedConcurrentExecutions"]),
            memory,
            rate,
            burst,
            reserved or 0,
            deployed or {},
            tuple(self._notes),
        )

    def _client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 2}, connect_timeout=10)
        try:
            return self._session.client(service, config=config)  # type: ignore[call-overload]
        except ValueError as error:  # AWS_ENDPOINT_URL
            raise UsageError(f"AWS cannot be queried: {error}") from None

    def _needed(self, service: str, operation: str) -> Any:
        try:
            return getattr(self._client(service), operation)()
        except ClientError as error:
            code, message = _code(error), error.response["Error"].get("Message", "")
            if code in _NOT_VALID:
                raise UsageError(f"AWS refuses the credentials: {message} ({code})") from None
            name = f"{service}:{''.join(map(str.capitalize, operation.split('_')))}"
            if code in _DENIED:
                raise UsageError(f"The credentials lack the permission {name}: {message}") from None
            raise UsageError(f"AWS refuses {name}: {message} ({code})") from None

    def _optional(self, question: Callable[[], Answer], names: str, without: str) -> Answer | None:
        try:
            return question()
        except ClientError as error:
            self._notes.append(f"{names} failed ({_code(error)}): {without}.")
            return None

    def _memory(self) -> int | None:
        pages = self._client("service-quotas").get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode="lambda"):
            for quota in page["Quotas"]:
                if quota["QuotaName"].lower() == MEMORY_QUOTA.lower():
                    return int(quota["Value"])
        return None

    def _throttle(self) -> tuple[int, int]:
        found = self._client("apigateway").get_account()["throttleSettings"]
        return int(found["rateLimit"]), int(found["burstLimit"])

    def _parameters(self, stack: str) -> dict[str, str]:
        try:
            (found,) = self._client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if _code(error) != "ValidationError":
                raise
            self._notes.append(f"There is no stack {stack!r}: a new one is checked.")
            return {}
        return {
            each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])
        }

    def _reserved(self, stack: str) -> int:
        resource = self._client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=_FUNCTION
        )["StackResourceDetail"]
        name = resource.get("PhysicalResourceId")
        if not name:  # its creation failed
            return 0
        found = self._client("lambda").get_function_concurrency(FunctionName=name)
        return int(found.get("ReservedConcurrentExecutions", 0))


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))
