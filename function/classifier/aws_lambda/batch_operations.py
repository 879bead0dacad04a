"""Tasks of S3 Batch Operations. The job's completion report has their results.

Source: Amazon S3 User Guide, "Invoke AWS Lambda function". Version 2.0 of the schema names buckets
instead of their ARNs, and has the job's user arguments.
"""

from typing import Any, Final, NamedTuple

from classifier.api.classify import parse_top_k
from classifier.aws_lambda.deadline import Deadline
from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.aws_lambda.event_values import bucket_at, key_at, text_at, value_at
from classifier.aws_lambda.photos import Folder, Photo, Photos, Skipped
from classifier.classifier import Classification
from classifier.errors import InvalidParameter
from classifier.outcome import Outcome, to_json

_MAX_RESULT_LENGTH: Final = 1024
"""Of a result in the report. AWS states no limit; classes that do not fit are left out."""

_SUCCEEDED: Final = "Succeeded"
_PERMANENT: Final = "PermanentFailure"
_TEMPORARY: Final = "TemporaryFailure"

_ARGUMENTS: Final = {"top_k", "results"}
_IN_S3: Final = "s3"
"""Value of the user argument `results`"""

_TaskResult = tuple[str, str]
"""resultCode and resultString"""


def run_tasks(event: object, photos: Photos, context: Any) -> dict[str, Any]:
    """The result of each task. Raises `MalformedEvent` if the event does not name its tasks."""
    version = text_at(event, "event", "invocationSchemaVersion")
    invocation = text_at(event, "event", "invocationId")
    tasks = value_at(event, "event", "tasks")
    if not isinstance(tasks, list):
        raise MalformedEvent.at("event.tasks", "a list", tasks)
    paths = [f"event.tasks[{number}]" for number in range(len(tasks))]
    identifiers = [text_at(task, path, "taskId") for task, path in zip(tasks, paths, strict=True)]
    runner = _Runner(event, photos, context)
    results = []
    for identifier, task, path in zip(identifiers, tasks, paths, strict=True):
        code, text = runner.run(task, path)
        results.append({"taskId": identifier, "resultCode": code, "resultString": text})
    return {
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": _PERMANENT,
        "invocationId": invocation,
        "results": results,
    }


class _Arguments(NamedTuple):
    """The job's user arguments: strings."""

    top_k: int
    in_s3: bool
    """Whether the results are written to the function's bucket, too"""


class _Runner:
    """Runs the tasks of one invocation."""

    def __init__(self, event: object, photos: Photos, context: Any) -> None:
        self._event = event
        self._photos = photos
        self._deadline = Deadline(context)

    def run(self, task: object, path: str) -> _TaskResult:
        try:
            arguments = _arguments(self._event)
            photo = _photo(task, path)
        except (MalformedEvent, InvalidParameter) as error:
            return _PERMANENT, str(error)
        try:
            with self._deadline.photo():
                return self._result(self._outcome(photo, arguments))
        except Folder as reason:
            return _SUCCEEDED, to_json({"skipped": str(reason)})
        except Skipped as reason:
            return _PERMANENT, str(reason)
        except Exception as error:  # the other tasks still run
            self._photos.failed(photo, error)
            return _TEMPORARY, str(error) or type(error).__name__

    def _outcome(self, photo: Photo, arguments: _Arguments) -> Outcome:
        if arguments.in_s3:
            return self._photos.write_result(photo, arguments.top_k)[1]
        return self._photos.classify(photo, arguments.top_k)

    def _result(self, outcome: Outcome) -> _TaskResult:
        if not isinstance(outcome, Classification):
            return _PERMANENT, f"{outcome.slug}: {outcome}"  # for the operator, not the message
        result = {
            "model": self._photos.model,
            "predictions": [
                {"label": each["label"], "probability": each["probability"]}
                for each in outcome.predictions
            ],
        }
        text = to_json(result)
        while len(text) > _MAX_RESULT_LENGTH and result["predictions"]:
            result["predictions"] = result["predictions"][:-1]
            text = to_json(result)
        return _SUCCEEDED, text


def _arguments(event: object) -> _Arguments:
    """Raises `MalformedEvent` and `InvalidParameter`."""
    job = value_at(event, "event", "job")
    given = job.get("userArguments") if isinstance(job, dict) else None
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise MalformedEvent.at("event.job.userArguments", "an object", given)
    if unknown := sorted(map(str, given.keys() - _ARGUMENTS)):
        raise InvalidParameter(
            f"The user arguments of a job are top_k and results; it has {', '.join(unknown)[:80]}."
        )
    results = given.get("results", "")
    if results not in ("", _IN_S3):
        raise InvalidParameter("The user argument results must be s3 or absent.")
    top_k = given.get("top_k")
    return _Arguments(parse_top_k(None if top_k is None else str(top_k)[:40]), bool(results))


def _photo(task: object, path: str) -> Photo:
    """Raises `MalformedEvent`."""
    key = key_at(task, path, "s3Key", encoded=True)
    members: dict[str, Any] = value_at(task, path)
    arn = members.get("s3BucketArn") is not None
    bucket = bucket_at(task, path, "s3BucketArn" if arn else "s3Bucket", arn=arn)
    version = "" if members.get("s3VersionId") is None else text_at(task, path, "s3VersionId")
    return Photo(bucket, key, version)
