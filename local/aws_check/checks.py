"""What of a deployment fits an account."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local.aws_check.account import Account
from local.aws_check.parameters import broken_rules, refusals

KEPT_UNRESERVED: Final = 100
"""Executions that Lambda keeps for functions without a reservation (AWS Lambda Developer Guide,
"Configuring reserved concurrency for a function")"""

REQUESTS_PER_UNIT: Final = 10
"""Requests per second for each unit of concurrency (the same, "Understanding Lambda function
scaling")"""

USUAL_CONCURRENCY: Final = 1000
USUAL_MEMORY: Final = 10_240
"""Quotas of accounts that are not new (the same, "Lambda quotas")"""

NEW_ACCOUNT_MEMORY: Final = 3008
"""MB that new accounts often may use, whatever Service Quotas shows (awslabs/
landing-zone-accelerator-on-aws#1139, aws/aws-dotnet-deploy#684)"""

MOST_SECONDS: Final = 900
HTTP_API_SECONDS: Final = 30

CONCURRENCY_QUOTA: Final = "L-B99A9384"


@dataclass(frozen=True)
class Finding:
    """One row. `fits` is None for what works and may surprise; such and False have an `advice`."""

    name: str
    value: str
    limit: str
    fits: bool | None
    advice: str = ""


def check(template: dict[str, Any], values: Mapping[str, str], account: Account) -> list[Finding]:
    """The findings, in the order of the template."""
    refused = refusals(template, values)
    shown = {name: _shown(template, name, values[name]) for name in values}
    found = [
        Finding(name, shown[name], reason, False, f"The template refuses it: it {reason}.")
        for name, reason in refused.items()
    ]
    if not refused:  # the numbers are numbers
        found += [
            *_reserved(values, account),
            *_provisioned(values, account),
            *_memory(values, account),
            *_timeout(values),
            *_rates(values, account),
        ]
        found += [Finding("rule", "", "", False, text) for text in broken_rules(template, values)]
    return found


def _shown(template: dict[str, Any], name: str, value: str) -> str:
    return "****" if template["Parameters"][name].get("NoEcho") and value else value


def reservable(account: Account) -> int:
    """How many executions this stack's function can reserve."""
    return max(0, account.unreserved + account.reserved - KEPT_UNRESERVED)


def _reserved(values: Mapping[str, str], account: Account) -> Iterator[Finding]:
    name, most = "ReservedConcurrency", reservable(account)
    asked = int(values[name])
    if asked == -1:
        advice = (
            "Without a reservation, this function and the others of the account share "
            f"{account.concurrency} executions, and only they limit its cost."
            if values["Endpoint"] == "FunctionUrl"
            else ""
        )
        yield Finding(name, "-1", str(account.concurrency), None if advice else True, advice)
    elif asked == 0:
        yield Finding(name, "0", str(most), None, "0 stops the function: all requests get 429.")
    elif asked <= most:
        yield Finding(name, str(asked), str(most), True)
    else:
        yield Finding(name, str(asked), str(most), False, _why_not(name, asked, account))


def _why_not(name: str, asked: int, account: Account) -> str:
    others = account.concurrency - account.unreserved - account.reserved
    already = f", and other functions have reserved {others}" if others else ""
    needed = max(USUAL_CONCURRENCY, asked + others + KEPT_UNRESERVED)
    most = reservable(account)
    instead = -1 if not most and name == "ReservedConcurrency" else most
    return (
        f"The account has {account.concurrency} executions{already}; Lambda keeps "
        f"{KEPT_UNRESERVED} for functions without a reservation. Deploy with {name}={instead}, or "
        f"request more: {increase(needed, account)}"
    )


def increase(value: int, account: Account) -> str:
    """The command that requests a quota of `value` executions."""
    return (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {CONCURRENCY_QUOTA} --desired-value {value} --region {account.region}"
    )


def _provisioned(values: Mapping[str, str], account: Account) -> Iterator[Finding]:
    name = "ProvisionedConcurrency"
    asked, reserved = int(values[name]), int(values["ReservedConcurrency"])
    most = reservable(account) if reserved == -1 else reserved
    if asked == 0 or asked <= most:
        yield Finding(name, str(asked), str(most), True)
    elif reserved == -1:
        yield Finding(name, str(asked), str(most), False, _why_not(name, asked, account))
    else:
        yield Finding(
            name,
            str(asked),
            str(most),
            False,
            f"Provisioned environments are a part of ReservedConcurrency, {reserved}. Raise that, "
            f"or deploy with {name}={reserved}.",
        )


def _memory(values: Mapping[str, str], account: Account) -> Iterator[Finding]:
    name, asked = "MemorySize", int(values["MemorySize"])
    most = account.memory or USUAL_MEMORY
    limit = str(account.memory or "unknown")
    if asked > most:
        yield Finding(
            name,
            str(asked),
            limit,
            False,
            f"The quota of the account is {most} MB. Deploy with {name}={most}, or request "
            '"Function memory maximum" in the Service Quotas console.',
        )
    elif asked > NEW_ACCOUNT_MEMORY and (
        account.memory is None or account.concurrency < USUAL_CONCURRENCY
    ):
        yield Finding(
            name,
            str(asked),
            limit,
            None,
            f"New accounts often may use {NEW_ACCOUNT_MEMORY} MB only. If the deployment says "
            f'"MemorySize value failed to satisfy constraint", deploy with {name}='
            f"{NEW_ACCOUNT_MEMORY} and ask AWS Support.",
        )
    else:
        yield Finding(name, str(asked), limit, True)


def _timeout(values: Mapping[str, str]) -> Iterator[Finding]:
    asked = int(values["Timeout"])
    if values["Endpoint"] == "HttpApi" and asked >= HTTP_API_SECONDS:
        yield Finding(
            "Timeout",
            str(asked),
            str(HTTP_API_SECONDS),
            None,
            f"An HTTP API waits {HTTP_API_SECONDS} s and then responds with 503, while the "
            "function continues and is billed. Only events from the bucket benefit from more.",
        )
    else:
        yield Finding("Timeout", str(asked), str(MOST_SECONDS), True)


def _rates(values: Mapping[str, str], account: Account) -> Iterator[Finding]:
    if values["Endpoint"] != "HttpApi":
        return
    name, text = "ThrottleRate", values["ThrottleRate"]
    asked = float(text)
    reserved = int(values["ReservedConcurrency"])
    concurrency = account.unreserved + account.reserved if reserved == -1 else reserved
    rate = REQUESTS_PER_UNIT * concurrency
    if asked > account.http_rate:
        yield Finding(name, text, str(account.http_rate), None, _shared(account))
    elif asked > rate:
        yield Finding(
            name,
            text,
            str(rate),
            None,
            f"{concurrency} executions serve at most {rate} requests per second, "
            f"{REQUESTS_PER_UNIT} each. Lambda rejects requests above that rate.",
        )
    else:
        yield Finding(name, text, str(min(rate, account.http_rate)), True)
    name, text = "ThrottleBurst", values["ThrottleBurst"]
    fits = int(text) <= account.http_burst
    yield Finding(
        name, text, str(account.http_burst), fits or None, "" if fits else _shared(account)
    )


def _shared(account: Account) -> str:
    return (
        f"All APIs of the account together may get {account.http_rate} requests per second in this "
        f'region, and {account.http_burst} at once. "Throttle quota per account" of API Gateway in '
        "the Service Quotas console raises both."
    )
