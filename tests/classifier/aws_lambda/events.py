"""Events of AWS, with the members that its documentation shows."""

import json
from typing import Any
from urllib.parse import quote_plus

Event = dict[str, Any]

BUCKET = "images"
OTHER = "photos"
"""The buckets of the function: its own, and that of photos"""


def s3_record(
    key: str, bucket: str = BUCKET, name: str = "ObjectCreated:Put", **more: Any
) -> Event:
    """`more` are further members of the object, such as its size."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-26T18:00:00.000Z",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "incoming",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": quote_plus(key, safe="/"), "sequencer": "0055AED6DCD90281E5", **more},
        },
    }


def s3(*keys: str, **options: Any) -> Event:
    return {"Records": [s3_record(key, **options) for key in keys]}


def s3_test(bucket: str = BUCKET) -> Event:
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-26T18:00:00.000Z",
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    }


def event_bridge(
    key: str, bucket: str = BUCKET, name: str = "Object Created", **more: Any
) -> Event:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": name,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-11-26T18:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "etag": "b1946ac92492d2347c6235b4d2611184", **more},
            "reason": "PutObject",
        },
    }


def sns(*messages: Event) -> Event:
    """SNS invokes a function with one record."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:eu-central-1:111122223333:photos:21be56ed",
                "Sns": {"Type": "Notification", "Message": json.dumps(message)},
            }
            for message in messages
        ]
    }


def sns_envelope(message: Event) -> Event:
    """A message of SNS in SQS, without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
        "TopicArn": "arn:aws:sns:eu-central-1:111122223333:photos",
        "Message": json.dumps(message),
    }


def failed_event(event: Event) -> Event:
    """What Lambda sends to the destination of events that failed."""
    return {
        "version": "1.0",
        "timestamp": "2026-11-26T18:00:00.000Z",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "1 of 1 objects failed"},
    }


def sqs_message(body: Event | str, identifier: str, group: str = "") -> Event:
    fifo = ".fifo" if group else ""
    return {
        "messageId": identifier,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"}
        | ({"MessageGroupId": group} if group else {}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:111122223333:photos{fifo}",
        "awsRegion": "eu-central-1",
    }


def sqs(*bodies: Event | str, group: str = "") -> Event:
    """Messages m0, m1, ..."""
    messages = [sqs_message(body, f"m{n}", group) for n, body in enumerate(bodies)]
    return {"Records": messages}


def batch(*keys: str, version: str = "", bucket: str = OTHER) -> Event:
    """S3 Batch Operations, version 1.0: tasks t0, t1, ..."""
    return {
        "invocationSchemaVersion": "1.0",
        "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
        "job": {"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"},
        "tasks": [
            {
                "taskId": f"t{number}",
                "s3Key": quote_plus(key, safe="/"),
                "s3VersionId": version or None,
                "s3BucketArn": f"arn:aws:s3:::{bucket}",
            }
            for number, key in enumerate(keys)
        ],
    }


def batch_2(*keys: str, version: str = "", bucket: str = OTHER, **arguments: str) -> Event:
    """The same in version 2.0, with user arguments."""
    event = batch(*keys, version=version, bucket=bucket)
    for task in event["tasks"]:
        del task["s3BucketArn"]
        task["s3Bucket"] = bucket
    job = {**event["job"], "userArguments": arguments}
    return {**event, "invocationSchemaVersion": "2.0", "job": job}
