"""Every setting of the service: an environment variable, its default, unit and meaning."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from classifier.cpu import usable_cores

SHIPPED_MODEL: Final = Path(__file__).resolve().parent.parent / "model"

LAMBDA_BODY_BYTES: Final = 4_600_000
"""Image bytes that fit in Lambda's 6 MB for a synchronous request, after base64 and beside the
headers (AWS Lambda Developer Guide, "Lambda quotas")."""

_MEGABYTES_PER_CORE: Final = 1769
"""Memory at which a function has the equivalent of one vCPU (AWS Lambda Developer Guide,
"Configure Lambda function memory")."""


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names it and says what would do."""


def _setting(meaning: str, unit: str = "", **options: Any) -> Any:
    return field(metadata={"meaning": meaning, "unit": unit}, **options)


@dataclass(frozen=True)
class Settings:
    """The settings; the environment variable of a field is its name in capitals."""

    model_dir: str = _setting(
        "Directory or s3://bucket/prefix that holds model.onnx, labels.txt and model.json",
        default=str(SHIPPED_MODEL),
    )
    max_bytes: int = _setting(
        "Largest sum of image bytes in one request", "bytes", default=20 * 1024 * 1024
    )
    max_pixels: int = _setting(
        "Largest image, width times height; of other formats than JPEG 40,000,000",
        "pixels",
        default=64_000_000,
    )
    max_decode_bytes: int = _setting(
        "Most memory for decoding one image, beside its file", "bytes", default=56 * 1024 * 1024
    )
    max_files: int = _setting("Most images in one request", "images", default=32)
    threads: int = _setting(
        "Images decoded and classified at the same time; the default is one for each core",
        "threads",
        default_factory=usable_cores,
    )
    queue: int = _setting(
        "Images that may wait for a thread; while as many do, requests get 503. The default is 128 "
        "for each core, about a second's work",
        "images",
        default_factory=lambda: 128 * usable_cores(),
    )
    max_held_bytes: int = _setting(
        "Largest sum of the bodies in memory; beyond it requests get 503",
        "bytes",
        default=256 * 1024 * 1024,
    )
    body_seconds: int = _setting(
        "Time in which a request's body has to arrive", "seconds", default=30
    )
    head_seconds: int = _setting(
        "Time in which a request's headers have to arrive", "seconds", default=10
    )
    intra_op_threads: int = _setting(
        "Threads that ONNX Runtime uses for one image", "threads", default=1
    )
    bucket: str = _setting(
        "S3 bucket for images too large for a request; without it there are no /uploads", default=""
    )
    max_object_bytes: int = _setting(
        "Largest image that is fetched from the bucket", "bytes", default=20 * 1024 * 1024
    )
    base_path: str = _setting(
        "Path that a custom domain's mapping puts in front, such as /photos (a stage is found out)",
        default="",
    )
    api_key: str = _setting(
        "Key that POST requests need, as Authorization: Bearer KEY; without one all are let in",
        default="",
        repr=False,
    )
    access_log: bool = _setting(
        "Whether there is a line of JSON in the log for each request: 1 or 0", default=True
    )
    prometheus_multiproc_dir: str = _setting(
        "Empty directory through which the workers of uvicorn --workers count together", default=""
    )
    lambda_function: str = ""
    """Name of the Lambda function this process is an environment of; empty elsewhere."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.type is int and getattr(self, each.name) < 1:
                raise _unusable(each.name, each.metadata["unit"], getattr(self, each.name))
        if self.max_held_bytes < self.max_bytes:
            raise SettingsError(
                f"MAX_HELD_BYTES must be MAX_BYTES, {self.max_bytes}, or more; it is "
                f"{self.max_held_bytes}."
            )
        if self.prometheus_multiproc_dir and not Path(self.prometheus_multiproc_dir).is_dir():
            raise SettingsError(
                "PROMETHEUS_MULTIPROC_DIR must be a directory; it is "
                f"{self.prometheus_multiproc_dir!r}."
            )
        if not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise SettingsError("API_KEY must consist of printable ASCII without spaces.")
        if self.base_path and (not self.base_path.startswith("/") or self.base_path.endswith("/")):
            raise SettingsError(
                f"BASE_PATH must start with a slash and not end with one; it is {self.base_path!r}."
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings that `environment` asks for; a variable that is unset or empty keeps the
        default, which on Lambda is another for some. Raises `SettingsError`."""
        values = _lambda_defaults(environment)
        for each in fields(cls):
            text = environment.get(each.name.upper(), "").strip()
            if not text or each.name == "lambda_function":
                continue
            if each.type is bool:
                values[each.name] = _switch(each.name, text)
                continue
            try:
                values[each.name] = each.type(text)  # type: ignore[operator]
            except ValueError:
                raise _unusable(each.name, each.metadata["unit"], text) from None
        return cls(**values)


def _lambda_defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    """An environment of a function serves one request at a time: what parallelism its memory buys
    goes into that one."""
    name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
    if not name:
        return {}
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 128)
    return {
        "lambda_function": name,
        "max_bytes": LAMBDA_BODY_BYTES,
        "threads": 1,
        "access_log": False,
        "intra_op_threads": max(1, round(memory / _MEGABYTES_PER_CORE)),
    }


def _switch(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise SettingsError(f"{name.upper()} must be 0 or 1; it is {text!r}.")
    return text == "1"


def _unusable(name: str, unit: str, value: object) -> SettingsError:
    return SettingsError(
        f"{name.upper()} must be a whole number of {unit}, 1 or more; it is {str(value)!r}."
    )
