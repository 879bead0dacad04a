"""Events of every source but HTTP, sent to the runtime interface emulator and client: each gets its
result, also if it arrives twice, late or in another order."""

import base64
import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from local.common.emulator import Function, running
from tests.classifier.aws_lambda import events
from tests.classifier.aws_lambda.events import BUCKET, OTHER, Event
from tests.support.containers import STRICT, address_for_containers
from tests.support.paths import SAMPLE
from tests.support.pictures import SAMPLE_LABEL, encode, photo
from tests.support.s3 import s3_server
from tests.support.s3_faults import Faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CAT = SAMPLE.read_bytes()
COFFEE = encode(photo("coffee.png"), "JPEG")
KEY = "incoming/my cät + 1%.jpg"

NOTIFICATIONS: dict[str, Callable[[str], Event]] = {
    "s3": events.s3,
    "event_bridge": events.event_bridge,
    "sns_s3": lambda key: events.sns(events.s3(key)),
    "sns_event_bridge": lambda key: events.sns(events.event_bridge(key)),
}
MESSAGES: dict[str, Callable[[str], Event]] = {
    "s3": events.s3,
    "event_bridge": events.event_bridge,
    "sns_s3": lambda key: events.sns_envelope(events.s3(key)),
    "sns_event_bridge": lambda key: events.sns_envelope(events.event_bridge(key)),
    "failed": lambda key: events.failed_event(events.s3(key)),
    "failed_sns": lambda key: events.failed_event(events.sns(events.s3(key))),
}
SOURCES: list[Callable[[str], Event]] = [
    *NOTIFICATIONS.values(),
    *(lambda key, wrap=wrap: events.sqs(wrap(key)) for wrap in MESSAGES.values()),
]


@dataclass
class Stack:
    """The function in its container, S3, and what may fail there."""

    function: Function
    s3: "S3Client"
    faults: Faults

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def invoke(self, event: object) -> Any:
        return self.function.invoke(event)

    def results(self) -> dict[str, Any]:
        """The content of each object below results/."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="results/").get("Contents", [])
        return {
            each["Key"]: json.loads(
                self.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            )
            for each in found
        }

    def empty(self) -> None:
        self.faults.plan(OTHER, {})
        for bucket in (BUCKET, OTHER):
            for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=each["Key"])


@pytest.fixture(scope="module")
def running_stack(image: str) -> Iterator[Stack]:
    faults = Faults()
    options = [part for part in STRICT if part not in ("--network", "none")]
    with s3_server(faults.around, host=address_for_containers(image)) as place:
        variables = {"BUCKET": BUCKET, "PHOTO_BUCKET": OTHER, "AWS_MAX_ATTEMPTS": "1"} | place
        s3 = boto3.client(
            "s3",
            endpoint_url=place["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=place["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=place["AWS_SECRET_ACCESS_KEY"],
            region_name=place["AWS_DEFAULT_REGION"],
        )
        for bucket in (BUCKET, OTHER):
            where: Any = {"LocationConstraint": place["AWS_DEFAULT_REGION"]}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        with running(image, *options, "--memory", "1769m", environment=variables) as function:
            stack = Stack(function, s3, faults)
            yield stack
        stack.empty()
        for bucket in (BUCKET, OTHER):  # moto has one S3 for all servers of this process
            s3.delete_bucket(Bucket=bucket)


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """With empty buckets."""
    running_stack.empty()
    return running_stack


@pytest.fixture
def cat(client: httpx.Client) -> Any:
    """The answer of the HTTP API to the sample."""
    return client.post("/", files={"file": CAT}).json()


@pytest.fixture
def coffee(client: httpx.Client) -> Any:
    return client.post("/", files={"file": COFFEE}).json()


@pytest.mark.parametrize("source", NOTIFICATIONS)
def test_notification_writes_the_result_of_the_http_api(
    stack: Stack, source: str, cat: Any
) -> None:
    stack.put(KEY, CAT)
    result_key = f"results/{KEY.removeprefix('incoming/')}.json"
    assert stack.invoke(NOTIFICATIONS[source](KEY)) == {"results": [result_key]}
    assert stack.results() == {result_key: {"key": KEY, **cat}}


@pytest.mark.parametrize("message", MESSAGES)
def test_message_of_a_queue_writes_the_same(stack: Stack, message: str, cat: Any) -> None:
    stack.put(KEY, CAT)
    assert stack.invoke(events.sqs(MESSAGES[message](KEY))) == {"batchItemFailures": []}
    (result,) = stack.results().values()
    assert result == {"key": KEY, **cat}


def test_photo_of_the_other_bucket(stack: Stack, cat: Any) -> None:
    stack.put("a/cat.jpg", CAT, OTHER)
    stack.invoke(events.s3("a/cat.jpg", bucket=OTHER))
    (result,) = stack.results().values()
    assert result == {"bucket": OTHER, "key": "a/cat.jpg", **cat}


@pytest.mark.parametrize("seed", range(3))
def test_duplicates_and_reorderings_end_with_the_results_of_the_newest_photos(
    stack: Stack, cat: Any, coffee: Any, seed: int
) -> None:
    """Given three photos, one of which is replaced while events of it are on their way, in any
    order, and each from every source."""
    chance = random.Random(seed)
    keys = [f"incoming/{number} a+b.jpg" for number in range(3)]
    for key in keys:
        stack.put(key, COFFEE)
    pending = [source(key) for source, key in itertools.product(SOURCES, keys)]
    chance.shuffle(pending)
    middle = chance.randrange(len(pending))
    for event in pending[:middle]:
        stack.invoke(event)
    stack.put(keys[0], CAT)
    late = [events.s3(keys[0]), *pending[middle:], *pending[:2]]
    chance.shuffle(late)
    for event in late:
        answer = stack.invoke(event)
        assert "errorType" not in answer
    assert stack.results() == {
        f"results/{key.removeprefix('incoming/')}.json": {
            "key": key,
            **(cat if key == keys[0] else coffee),
        }
        for key in keys
    }


def test_only_messages_that_failed_are_sent_again(stack: Stack, cat: Any) -> None:
    """Given a queue with a bad image, an absent one, one that S3 does not deliver, and no photo."""
    stack.put("bad.jpg", b"no image", OTHER)
    for key in ("slow.jpg", "good.jpg"):
        stack.put(key, CAT, OTHER)
    stack.faults.plan(OTHER, {"slow.jpg": ["SlowDown"]})
    keys = ("bad.jpg", "absent.jpg", "slow.jpg", "good.jpg")
    messages = [events.s3(key, bucket=OTHER) for key in keys]
    queue = events.sqs(*messages, "no notification")
    assert stack.invoke(queue) == {
        "batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m4"}]
    }
    queue["Records"] = [queue["Records"][2]]
    assert stack.invoke(queue) == {"batchItemFailures": []}
    found = {
        each["key"]: each.get("status", each.get("model")) for each in stack.results().values()
    }
    model = cat["model"]
    assert found == {"bad.jpg": 415, "absent.jpg": 404, "slow.jpg": model, "good.jpg": model}


@pytest.mark.parametrize("source", NOTIFICATIONS)
def test_notification_fails_while_s3_does(stack: Stack, source: str) -> None:
    """Lambda then tries the event again."""
    stack.put(KEY, CAT)
    stack.faults.plan(BUCKET, {KEY: ["InternalError"]})
    answer = stack.invoke(NOTIFICATIONS[source](KEY))
    assert answer["errorType"] == "StoreError"
    assert "1 of 1 objects failed" in answer["errorMessage"]
    assert len(stack.invoke(NOTIFICATIONS[source](KEY))["results"]) == 1


@pytest.mark.parametrize(
    ("make", "version"), [(events.batch, "1.0"), (events.batch_2, "2.0")], ids=["1.0", "2.0"]
)
def test_tasks_of_s3_batch_operations(
    stack: Stack, make: Callable[..., Event], version: str, cat: Any
) -> None:
    """In both orders, and twice."""
    stack.put("my cät + 1%.jpg", CAT, OTHER)
    stack.put("bad.jpg", b"no image", OTHER)
    stack.put("slow.jpg", CAT, OTHER)
    stack.put("folder/", b"", OTHER)
    keys = ["my cät + 1%.jpg", "bad.jpg", "absent.jpg", "slow.jpg", "folder/"]
    expected = {
        "my cät + 1%.jpg": "Succeeded",
        "bad.jpg": "PermanentFailure",
        "absent.jpg": "PermanentFailure",
        "slow.jpg": "TemporaryFailure",
        "folder/": "Succeeded",
    }
    seen = []
    for order in (keys, keys[::-1], keys):
        stack.faults.plan(OTHER, {"slow.jpg": ["SlowDown"]})
        event = make(*order)
        answer = stack.invoke(event)
        assert answer["invocationSchemaVersion"] == version
        assert answer["invocationId"] == event["invocationId"]
        assert answer["treatMissingKeysAs"] == "PermanentFailure"
        results = {each["taskId"]: each for each in answer["results"]}
        by_key = {key: results[f"t{number}"] for number, key in enumerate(order)}
        assert {key: each["resultCode"] for key, each in by_key.items()} == expected
        seen.append({key: each["resultString"] for key, each in by_key.items()})
    assert seen[0] == seen[1] == seen[2]
    predictions = json.loads(seen[0]["my cät + 1%.jpg"])["predictions"]
    assert predictions == [
        {"label": each["label"], "probability": each["probability"]} for each in cat["predictions"]
    ]
    assert stack.results() == {}
    stack.faults.plan(OTHER, {})
    (again,) = stack.invoke(make("slow.jpg"))["results"]
    assert (again["resultCode"], again["resultString"]) == (
        "Succeeded",
        seen[0]["my cät + 1%.jpg"],
    )


def test_job_may_ask_for_results_in_the_bucket(stack: Stack, cat: Any) -> None:
    stack.put("cat.jpg", CAT, OTHER)
    (result,) = stack.invoke(events.batch_2("cat.jpg", results="s3", top_k="2"))["results"]
    assert len(json.loads(result["resultString"])["predictions"]) == 2
    (written,) = stack.results().values()
    assert written["predictions"] == cat["predictions"][:2]


def test_direct_invocation_gets_the_answer_of_the_http_api(stack: Stack, cat: Any) -> None:
    image = base64.b64encode(CAT).decode()
    assert stack.invoke({"image": image}) == cat
    assert len(stack.invoke({"image": image, "top_k": 2})["predictions"]) == 2
    stack.put(KEY, CAT)
    stack.put("cat.jpg", CAT, OTHER)
    assert stack.invoke({"key": KEY}) == cat
    assert stack.invoke({"key": "cat.jpg", "bucket": OTHER, "top_k": 5}) == cat
    assert stack.invoke({"key": "incoming/absent.jpg"})["status"] == 404
    assert stack.invoke({"image": base64.b64encode(b"text").decode()})["status"] == 415


@pytest.mark.parametrize(
    "event",
    [
        {"warmup": True},
        {"source": "serverless-plugin-warmup"},
        {"warmer": True, "concurrency": 2},
        {
            "version": "0",
            "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": "2026-11-26T18:00:00Z",
            "region": "eu-central-1",
            "resources": ["arn:aws:events:eu-central-1:123456789012:rule/warm"],
            "detail": {},
        },
    ],
    ids=["plain", "serverless-plugin-warmup", "lambda-warmer", "schedule"],
)
def test_warm_up_is_answered(stack: Stack, event: Event) -> None:
    assert stack.invoke(event)["status"] == "warm"


@pytest.mark.parametrize(
    "event",
    [
        events.s3_test(),
        events.sns(events.s3_test()),
        events.s3("incoming/folder/", size=0),
        events.event_bridge("results/cat.jpg.json"),
        events.s3("cat.jpg", bucket="another"),
        events.s3("incoming/cat.jpg", name="ObjectRemoved:Delete"),
    ],
    ids=["test", "test in SNS", "folder", "result", "another bucket", "removed"],
)
def test_other_events_write_nothing(stack: Stack, event: Event) -> None:
    assert stack.invoke(event) == {"results": []}
    assert stack.invoke(events.sqs(event)) == {"batchItemFailures": []}
    assert stack.results() == {}


def test_function_goes_on_after_all_of_them(stack: Stack) -> None:
    assert stack.invoke({"no": "event"})["errorType"] == "UnknownEvent"
    image = base64.b64encode(CAT).decode()
    assert stack.invoke({"image": image})["predictions"][0]["label"] == SAMPLE_LABEL
