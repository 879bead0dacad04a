"""Values in an event, which may have any form."""

import json
from typing import Any
from urllib.parse import unquote_plus

from classifier.aws_lambda.event_errors import MalformedEvent
from classifier.s3 import MAX_KEY_BYTES


def value_at(value: object, path: str, *names: str) -> Any:
    """The member of a member ... of an object, which `path` names. Raises `MalformedEvent`."""
    for name in names:
        if not isinstance(value, dict):
            raise MalformedEvent.at(path, "an object", value)
        path = f"{path}.{name}"
        if name not in value:
            raise MalformedEvent(f"{path} is missing.")
        value = value[name]
    return value


def text_at(value: object, path: str, *names: str) -> str:
    """The same, if it is a string. Raises `MalformedEvent`."""
    found = value_at(value, path, *names)
    if not isinstance(found, str):
        raise MalformedEvent.at(".".join([path, *names]), "a string", found)
    return found


def bucket_at(value: object, path: str, *names: str, arn: bool = False) -> str:
    """The name of a bucket; `arn`: at the end of its ARN. Raises `MalformedEvent`."""
    text = text_at(value, path, *names)
    bucket = text.rpartition(":")[2] if arn else text
    if not bucket:  # would stand for the function's own
        expected = "the ARN of a bucket" if arn else "the name of a bucket"
        raise MalformedEvent.at(".".join([path, *names]), expected, text)
    return bucket


def json_at(value: object, path: str, *names: str) -> object:
    """The JSON in a string. Raises `MalformedEvent`."""
    text = text_at(value, path, *names)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedEvent.at(".".join([path, *names]), "JSON", text) from None


def key_at(value: object, path: str, *names: str, encoded: bool) -> str:
    """A key that an object may have. `encoded`: as in a form, which S3 does in most events, but not
    through EventBridge. Raises `MalformedEvent`."""
    text = text_at(value, path, *names)
    path = ".".join([path, *names])
    try:
        key = unquote_plus(text, errors="strict") if encoded else text
        if 0 < len(key.encode()) <= MAX_KEY_BYTES:
            return key
    except UnicodeError:  # not UTF-8, or half of a surrogate pair
        pass
    raise MalformedEvent.at(path, f"a key of 1 to {MAX_KEY_BYTES} bytes of UTF-8", text)
