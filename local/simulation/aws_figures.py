"""AWS prices and limits that the forecast uses, each with source and date.

Prices are list prices in US dollars for us-east-1 (N. Virginia), the first tier, before the free
tier, savings plans and taxes. A price per GB-second counts 1 GB as 1024 MB.

No figure was read from a live page. All were looked up or checked again on 2026-11-26 in stored
copies of the pages, most of them undated; `evidence` says what the copy showed. Check the page
before relying on a price.
"""

from typing import Final, NamedTuple

REGION: Final = "us-east-1"
LOOKED_UP: Final = "2026-11-26"


class Figure(NamedTuple):
    value: float
    unit: str
    meaning: str
    source: str
    evidence: str


_PRICING = "https://aws.amazon.com/lambda/pricing/"
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
_INVOKE = _GUIDE + "API_Invoke.html"
_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"
_GATEWAY_PRICES = (
    "https://docs.aws.amazon.com/whitepapers/latest/"
    "best-practices-api-gateway-private-apis-integration/cost-optimization.html"
)

_PAGE = "stated on the page"
_NO_TABLE = "not verified on the page, whose copy lacks the price tables; "
_PRICE_LIST = _NO_TABLE + (
    "third parties that cite AWS's price lists AWSLambda/20260819224703 for us-east-2 and "
    "AWSLambda/20260831092318 for us-west-2"
)
_BLOG = _NO_TABLE + (
    "https://cloudchipr.com/blog/aws-lambda-pricing (2024) for us-east-1, and a third party that "
    "cites AWS's price list of 2026-10-01 for ap-northeast-2"
)
_REPOSITORIES = _NO_TABLE + "several public repositories, undated, that agree"

REQUEST: Final = Figure(0.20e-6, "USD", "a request", _PRICING, _PRICE_LIST)
DURATION_X86: Final = Figure(
    0.0000166667, "USD/GB-s", "duration on demand, x86_64", _PRICING, _PRICE_LIST
)
DURATION_ARM: Final = Figure(0.0000133334, "USD/GB-s", "duration on demand, arm64", _PRICING, _BLOG)
PROVISIONED_X86: Final = Figure(
    0.0000041667,
    "USD/GB-s",
    "provisioned concurrency, used or not, x86_64",
    _PRICING,
    _REPOSITORIES,
)
PROVISIONED_ARM: Final = Figure(
    0.0000033334, "USD/GB-s", "provisioned concurrency, used or not, arm64", _PRICING, _REPOSITORIES
)
PROVISIONED_DURATION_X86: Final = Figure(
    0.0000097222, "USD/GB-s", "duration on provisioned concurrency, x86_64", _PRICING, _REPOSITORIES
)
PROVISIONED_DURATION_ARM: Final = Figure(
    0.0000077778, "USD/GB-s", "duration on provisioned concurrency, arm64", _PRICING, _REPOSITORIES
)
EPHEMERAL: Final = Figure(
    0.0000000309, "USD/GB-s", "ephemeral storage above the free part", _PRICING, _PRICE_LIST
)
EPHEMERAL_FREE: Final = Figure(512, "MB", "ephemeral storage free of charge", _PRICING, _PAGE)
EPHEMERAL_LIMIT: Final = Figure(10_240, "MB", "the most ephemeral storage", _PRICING, _PAGE)
BILLING_STEP: Final = Figure(1, "ms", "duration is billed rounded up to this", _PRICING, _PAGE)
PROVISIONED_STEP: Final = Figure(
    300, "s", "provisioned concurrency is billed rounded up to this", _PRICING, _PAGE
)
INIT_BILLED: Final = Figure(
    1,
    "share",
    "of INIT that is billed as duration: all of it, for container images as for any function",
    "https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase",
    "stated on the page (posted 2025-04-29) as the rule for every package type from 2025-08-01; a "
    "line that a public repository logged on 2026-10-08 agrees: 1,698 ms are billed for 1,234 ms "
    "and 464 ms of INIT",
)
HTTP_API_CALL: Final = Figure(
    1.00e-6, "USD", "a metered call of an HTTP API, first 300 million", _GATEWAY_PRICES, _PAGE
)
HTTP_API_METER: Final = Figure(512, "kB", "a call of an HTTP API, metered", _GATEWAY_PRICES, _PAGE)

CONCURRENCY: Final = Figure(
    1000,
    "requests",
    "concurrent executions of an account in a region, by default; new accounts get fewer",
    _GUIDE + "gettingstarted-limits.html",
    _PAGE,
)
NEW_ACCOUNT: Final = Figure(
    10,
    "requests",
    "concurrent executions of a new account, in practice; as 100 must stay unreserved, nothing can "
    "be reserved until AWS raises it",
    _GUIDE + "gettingstarted-limits.html",
    "the page says that new accounts have reduced concurrency and memory, without a number; the "
    "number is from aws-samples/alarm-context-tool#2, awslabs/fhir-works-on-aws-deployment#691 and "
    "aws-samples/one-observability-demo#278",
)
NEW_ACCOUNT_MEMORY: Final = Figure(
    3008,
    "MB",
    "the most memory of a new account",
    "https://docs.aws.amazon.com/prescriptive-guidance/latest/patterns/"
    "run-parallel-reads-of-s3-objects-by-using-python-in-an-aws-lambda-function.html",
    _PAGE,
)
UNRESERVED: Final = Figure(
    100,
    "requests",
    "concurrency that must stay unreserved in an account",
    _GUIDE + "configuration-concurrency.html",
    "not verified on the page, quoted from it on AWS re:Post",
)
SCALING_STEP: Final = Figure(
    1000,
    "environments",
    "new environments of a function in each scaling interval, unused ones not saved up",
    _GUIDE + "scaling-behavior.html",
    _PAGE,
)
SCALING_INTERVAL: Final = Figure(
    10,
    "s",
    "the scaling interval; the step is refilled continuously, not once an interval",
    _GUIDE + "scaling-behavior.html",
    _PAGE,
)
SCALING_REQUESTS: Final = Figure(
    10_000,
    "requests/s",
    "more in each scaling interval: beside the step for new environments, which is reached first "
    "unless more than 1,000 are warm (inferred)",
    _GUIDE + "scaling-behavior.html",
    _PAGE,
)
REQUEST_RATE: Final = Figure(
    10,
    "requests/s",
    "for each unit of concurrency: the limit on a function's or account's request rate",
    _GUIDE + "lambda-concurrency.html",
    "not verified on the page, third parties cite it; how large a burst may be is not documented",
)
MANAGED_PROCESSES: Final = Figure(
    16,
    "processes",
    "for each vCPU of Lambda Managed Instances, by default: Python runs each concurrent request in "
    "a separate process; at most 32 GB, and 90 minutes for asynchronous events",
    _GUIDE + "lambda-managed-instances-python-runtime.html",
    _PAGE,
)
INIT_BURST: Final = Figure(
    10,
    "s",
    "INIT on demand has a whole vCPU, whatever the memory (not with provisioned concurrency); so "
    "cold starts measured with the memory's share may be too long below one vCPU",
    "https://awslabs.github.io/aws-lambda-web-adapter/configuration/async-init.html",
    "stated on the page as burst CPU, and by an AWS author in serverlessland.com's guide to Java; "
    "not in the Developer Guide",
)
INIT_LIMIT: Final = Figure(
    10,
    "s",
    "INIT on demand; a longer one starts again within the first invocation",
    _GUIDE + "lambda-runtime-environment.html",
    _PAGE,
)
TIMEOUT_LIMIT: Final = Figure(
    900, "s", "the longest an invocation may run", _GUIDE + "gettingstarted-limits.html", _PAGE
)
PAYLOAD_LIMIT: Final = Figure(
    6,
    "MB",
    "a synchronous request or response, base64 included; 6,291,456 bytes by the error's text",
    _INVOKE,
    _PAGE,
)
PAYLOAD_ASYNC: Final = Figure(
    1,
    "MB",
    "an asynchronous event, since October 2025",
    _INVOKE,
    "stated on the page; the date by third parties, the change by the AWS Compute Blog: "
    "more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb",
)
HTTP_API_PAYLOAD: Final = Figure(
    10, "MB", "a request through an HTTP API, of which Lambda takes less", _GATEWAY, _PAGE
)
HTTP_API_HEADERS: Final = Figure(
    10_240, "bytes", "request line and headers of a request through an HTTP API", _GATEWAY, _PAGE
)
HTTP_API_TIMEOUT: Final = Figure(30, "s", "the longest an HTTP API waits", _GATEWAY, _PAGE)
MEMORY_MIN: Final = Figure(
    128, "MB", "the least memory", _GUIDE + "configuration-memory.html", _PAGE
)
MEMORY_MAX: Final = Figure(
    10_240, "MB", "the most memory", _GUIDE + "configuration-memory.html", _PAGE
)
VCPU: Final = Figure(
    1769, "MB", "memory that brings one vCPU", _GUIDE + "configuration-memory.html", _PAGE
)
IDLE: Final = Figure(
    5,
    "min",
    "an idle environment is kept; AWS documents no figure, this is an assumption",
    "https://mikhail.io/serverless/coldstarts/aws/intervals/",
    "a third party's measurement, undated: between 5 and 7 minutes",
)


def figures() -> dict[str, Figure]:
    """All figures by name, in the order above."""
    return {name: item for name, item in globals().items() if isinstance(item, Figure)}
