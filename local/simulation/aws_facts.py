"""What AWS says, or does not say, that is no number; with source and reliability as in
`aws_figures`."""

from typing import Final, NamedTuple


class Fact(NamedTuple):
    statement: str
    source: str
    evidence: str


_GUIDE: Final = "https://docs.aws.amazon.com/lambda/latest/dg/"
_TOOLKIT: Final = (
    "https://github.com/aws/agent-toolkit-for-aws/blob/main/skills/core-skills/aws-serverless/"
    "references/compute-decision-edge-cases.md"
)

FACTS: Final = (
    Fact(
        "AWS::Lambda::Function creates what is now called an Event Function.",
        _GUIDE + "lambda-functions-chapter.html",
        "stated in one copy of the page; older copies have the old name",
    ),
    Fact(
        "Web Functions run only Node.js 24, deployed as a .zip file, not as a container image.",
        _GUIDE + "web-functions-runtimes.html",
        "stated on the page; the .zip file on web-functions.html, which does not mention images",
    ),
    Fact(
        "MicroVMs (since 2026-06-22) are virtual machines with sessions of at most 8 hours.",
        _TOOLKIT,
        "stated in AWS's repository; the date by AWS's China blog of 2026-07-02",
    ),
    Fact(
        "Managed Instances run several requests at a time, in Python in a process each, on EC2 "
        "instances that are paid for whether used or not.",
        _GUIDE + "lambda-managed-instances.html",
        "processes are stated on the page of the Python runtime; that a minimum of environments is "
        "kept was quoted from the page by a third party on 2026-10-01",
    ),
    Fact(
        "SnapStart takes Python 3.12 and later, but no container images.",
        _GUIDE + "snapstart.html",
        "the page lists managed runtimes; that images are excluded is said by several public "
        "repositories and on AWS re:Post",
    ),
    Fact(
        "A function URL needs lambda:InvokeFunctionUrl and lambda:InvokeFunction: new ones since "
        "October 2025, older ones since 2026-11-01.",
        _GUIDE + "urls-auth.html",
        "stated on the page for new ones; the date for older ones is in AWS's notice, quoted in "
        "serverless/serverless#13147 and anomalyco/sst#6202",
    ),
    Fact(
        "Python 3.13 and 3.14 (since 2025-11-18) on Lambda end on the same day, 2029-06-30.",
        "https://endoflife.date/aws-lambda",
        "a third party that reads AWS's table of runtimes",
    ),
    Fact(
        "AWS does not document how many invocations S3 Batch Operations keeps in flight, nor how "
        "fast their number grows; it invokes the function synchronously for each object.",
        _GUIDE + "services-s3-batch.html",
        "the second half is stated on the page; the first half was looked for and not found",
    ),
)
