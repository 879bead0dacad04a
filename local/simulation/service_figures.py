"""Prices and sizes of the services around Lambda: S3, S3 Batch Operations, CloudWatch, traffic.

As in `aws_figures`: list prices in US dollars for us-east-1, the first tier, without the free tier.
A GB of logs, traffic or storage counts 10^9 bytes, which is at most 7 % too dear. Sizes of lines
are those of this service's code; tests measure them.
"""

from typing import Final

from local.simulation.aws_figures import Figure

_S3: Final = "https://aws.amazon.com/s3/pricing/"
_CLOUDWATCH: Final = "https://aws.amazon.com/cloudwatch/pricing/"
_LIST: Final = (
    "not verified on the page, whose copy lacks the price tables; a third party that cites the SKU "
    "in AWS's price list "
)
_S3_LIST: Final = _LIST + "AmazonS3/20260831092225 for us-east-1"
_CLOUDWATCH_LIST: Final = _LIST + "AmazonCloudWatch/20260831092148 for us-east-1"
_TRANSFER_LIST: Final = _LIST + "AWSDataTransfer/20260831121448 for us-east-1"
_REPOSITORIES: Final = (
    "not verified on the page, whose copy lacks the price tables; several public repositories, "
    "undated, that agree"
)
_CODE: Final = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"
_CODE_LOGS: Final = (
    "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"
)
_MEASURED: Final = "the line that this service writes, measured by a test"
_LINES: Final = (
    "a line that a function of another public repository logged on 2026-10-08, with the names of "
    "this function; the page says that INFO has start and report, WARN has not"
)

S3_GET: Final = Figure(0.4e-6, "USD", "a GET or HEAD of an object of S3 Standard", _S3, _S3_LIST)
S3_PUT: Final = Figure(5e-6, "USD", "a PUT, POST or LIST of S3 Standard", _S3, _S3_LIST)
S3_STORAGE: Final = Figure(0.023, "USD/GB-month", "S3 Standard, first 50 TB", _S3, _S3_LIST)
S3_INVENTORY: Final = Figure(
    0.0025e-6, "USD", "an object listed by S3 Inventory", _S3, _REPOSITORIES
)
BATCH_JOB: Final = Figure(0.25, "USD", "a job of S3 Batch Operations", _S3, _S3_LIST)
BATCH_OBJECT: Final = Figure(
    1e-6, "USD", "an object that a job of S3 Batch Operations processes", _S3, _S3_LIST
)
BATCH_MANIFEST: Final = Figure(
    0.015e-6,
    "USD",
    "an object of the bucket for which S3 Batch Operations generates the manifest",
    _S3,
    _S3_LIST,
)
S3_LATENCY: Final = Figure(
    100,
    "ms",
    "a request to S3 takes; the page says roughly 100 to 200 ms, and often it is less",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
    "stated on the page as a range, of which this is the lower end",
)
S3_REQUEST_RATE: Final = Figure(
    5500,
    "requests/s",
    "GET and HEAD for each prefix of a bucket, before S3 has to scale",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
    "stated on the page",
)

LOG_INGESTION: Final = Figure(
    0.50, "USD/GB", "logs, standard class, first 10 TB", _CLOUDWATCH, _CLOUDWATCH_LIST
)
CUSTOM_METRIC: Final = Figure(
    0.30,
    "USD per month",
    "a custom metric, by the hour in which it gets values; embedded metrics are custom metrics, "
    "and each value of a dimension is a separate metric",
    _CLOUDWATCH,
    _CLOUDWATCH_LIST,
)
ALARM: Final = Figure(
    0.10, "USD per month", "an alarm on one metric", _CLOUDWATCH, _CLOUDWATCH_LIST
)
DASHBOARD: Final = Figure(
    3.00,
    "USD per month",
    "a dashboard; three of an account are free",
    _CLOUDWATCH,
    _REPOSITORIES,
)
TRANSFER_OUT: Final = Figure(
    0.09,
    "USD/GB",
    "traffic to the internet, first 10 TB",
    "https://aws.amazon.com/ec2/pricing/on-demand/",
    _TRANSFER_LIST,
)
TRANSFER_REGION: Final = Figure(
    0.02,
    "USD/GB",
    "traffic to another region; within a region between S3 and Lambda there is no charge",
    "https://aws.amazon.com/ec2/pricing/on-demand/",
    _TRANSFER_LIST,
)

CLASSIFICATION_LINE: Final = Figure(
    580, "bytes", "the line of a classification, a log entry and four metrics",
    _CODE + "CloudWatch_Embedded_Metric_Format_Specification.html", _MEASURED,
)  # fmt: skip
COLD_START_LINE: Final = Figure(
    360, "bytes", "the line of a cold start, a log entry and a metric",
    _CODE + "CloudWatch_Embedded_Metric_Format_Specification.html", _MEASURED,
)  # fmt: skip
PLATFORM_LINES: Final = Figure(
    485, "bytes", "Lambda's lines of an invocation, start and report", _CODE_LOGS, _LINES
)
INIT_LINE: Final = Figure(340, "bytes", "Lambda's line of a cold start", _CODE_LOGS, _LINES)
METRICS: Final = Figure(
    6,
    "metrics",
    "of the function: Classifications, DecodeTime, InferTime, TopProbability, ColdStart, and "
    "Errors of one kind; each further kind of error is one more",
    _CODE + "CloudWatch_Embedded_Metric_Format_Specification.html",
    "the metrics that this service writes, counted by a test",
)
RESPONSE: Final = Figure(
    1200,
    "bytes",
    "a response with five classes, its headers included",
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html",
    "the response of this service, measured by a test, and about 200 bytes of the gateway",
)
REPORT_LINE: Final = Figure(
    600,
    "bytes",
    "an object's line in the completion report of S3 Batch Operations, its classes included",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html",
    "an estimate: 500 bytes of result and 100 of bucket and key",
)


def figures() -> dict[str, Figure]:
    """All figures by name, in the order above."""
    return {name: item for name, item in globals().items() if isinstance(item, Figure)}
