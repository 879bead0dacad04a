"""Every setting of the service: an environment variable, its default, unit and meaning."""

import math
import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

from classifier.cpu import usable_cores
from classifier.origins import parse_origins

_PACKAGE: Final = Path(__file__).resolve().parent
_INSTALLED_MODEL: Final = _PACKAGE / "shipped_model"
SHIPPED_MODEL: Final = _INSTALLED_MODEL if _INSTALLED_MODEL.is_dir() else _PACKAGE.parent / "model"
"""Inside the package if it was installed from its wheel, otherwise beside it"""

LAMBDA_BODY_BYTES: Final = 4_600_000
"""Image bytes that fit into Lambda's 6 MB for a synchronous request, base64 and headers included
(AWS Lambda Developer Guide, "Lambda quotas")"""

MAX_CONCURRENCY: Final = "AWS_LAMBDA_MAX_CONCURRENCY"
"""Set on Lambda Managed Instances: the runtime (awslambdaric) starts a process for each request
that the environment takes at once"""

_ON_DEMAND: Final = "on-demand"
"""AWS_LAMBDA_INITIALIZATION_TYPE of an environment that a request has started (AWS Lambda Developer
Guide, "Defined runtime environment variables")"""

_MEGABYTES_PER_CORE: Final = 1769
"""Memory with which a function gets one vCPU (AWS Lambda Developer Guide, "Configure Lambda
function memory")"""


class SettingsError(ValueError):
    """A setting is invalid; the message names it and the valid values."""


_RETIRED: Final = {"MAX_DECODE_BYTES": "MEMORY_BYTES, the memory for all images together"}
"""Variables of earlier versions, and what replaces them"""

_NOT_ON_LAMBDA: Final = ("host", "port", "web_concurrency", "drain_seconds")
"""Lambda starts the processes of a function, which neither listen nor get signals."""

MAX_PORT: Final = 65535


def _setting(
    meaning: str, unit: str = "", *, least: int = 1, most: int | None = None, **options: Any
) -> Any:
    """`least` and `most` are the bounds of a number that is set. The default may still be 0, which
    stands for a derived value."""
    metadata = {"meaning": meaning, "unit": unit, "least": least, "most": most}
    return field(metadata=metadata, **options)


@dataclass(frozen=True)
class Settings:
    """The settings; each field's environment variable is its name in capitals. They are those of
    the service as a whole; `share` gives those of one of its processes."""

    model_dir: str = _setting(
        "Directory or s3://bucket/prefix with model.onnx, labels.txt and model.json",
        default=str(SHIPPED_MODEL),
    )
    host: str = _setting(
        "Address on which python -m classifier.server listens; 0.0.0.0 in the web image. :: is "
        'IPv6 alone; the option --host "" is IPv4 and IPv6',
        default="127.0.0.1",
    )
    port: int = _setting("Port on which it listens", most=MAX_PORT, default=8000)
    max_bytes: int = _setting(
        "Maximum image bytes in one request", "bytes", default=96 * 1024 * 1024
    )
    max_pixels: int = _setting(
        "Maximum image size in pixels; memory and time limit it further",
        "pixels",
        default=250_000_000,
    )
    memory_bytes: int = _setting(
        "Memory for images and request bodies together. The default is the memory that the "
        "process may use, less the service's own",
        "bytes",
        default=0,
    )
    max_held_bytes: int = _setting(
        "The part of MEMORY_BYTES that request bodies may take; further requests wait. The "
        "default is a quarter",
        "bytes",
        default=0,
    )
    max_files: int = _setting("Maximum number of images in one request", "images", default=32)
    threads: int = _setting(
        "Images decoded and classified in parallel",
        "threads",
        default_factory=usable_cores,
    )
    queue: int = _setting(
        "Maximum number of queued images; further requests wait, and may get 503 after a second "
        "or more. The default is about a second's work",
        "images",
        default_factory=lambda: 128 * usable_cores(),
    )
    web_concurrency: int = _setting(
        "Worker processes, which divide THREADS, QUEUE and memory. By default, "
        "python -m classifier.server derives the number from cores and memory",
        "processes",
        default=0,
    )
    body_seconds: int = _setting(
        "Maximum pause in a request body, which must average 1 kB/s over this time; while bodies "
        "fill half of their memory, the maximum time for the whole body",
        "seconds",
        default=30,
    )
    head_seconds: int = _setting(
        "Maximum time for request headers to arrive", "seconds", default=10
    )
    keep_alive_seconds: int = _setting(
        "Maximum idle time between two requests on a connection; must exceed the load balancer's, "
        "often 60. uvicorn's --timeout-keep-alive overrides it, unless that is 5, its default",
        "seconds",
        default=75,
    )
    drain_seconds: int = _setting(
        "Time from SIGTERM until the service stops listening: meanwhile /readyz is 503, so that "
        "load balancers notice, and requests are served",
        "seconds",
        least=0,
        default=0,
    )
    intra_op_threads: int = _setting("ONNX Runtime threads per image", "threads", default=1)
    bucket: str = _setting(
        "S3 bucket for images too large for a request; enables /uploads", default=""
    )
    photo_bucket: str = _setting(
        "Another S3 bucket whose new photos are classified, on Lambda", default=""
    )
    max_object_bytes: int = _setting(
        "Maximum size of an image in the bucket", "bytes", default=96 * 1024 * 1024
    )
    base_path: str = _setting(
        "Path of a custom domain's mapping, such as /photos (an API's stage is detected)",
        default="",
    )
    api_key: str = _setting(
        "Key that POST requests must send, as Authorization: Bearer KEY; empty: no key required",
        default="",
        repr=False,
    )
    cors_origins: str = _setting(
        "Origins whose pages may use the service, such as https://example.com, separated by "
        "commas, or * for all",
        default="",
    )
    access_log: bool = _setting("Write a line of JSON for each request: 1 or 0", default=True)
    prometheus_multiproc_dir: str = _setting(
        "Empty directory in which worker processes share their metrics. By default, "
        "python -m classifier.server makes one",
        default="",
    )
    lambda_function: str = ""
    """Name of the Lambda function; empty elsewhere"""
    lambda_megabytes: int = 0
    """Memory size of the Lambda function; 0 elsewhere, and in emulators that do not set it"""
    warm_up: bool = True
    """Whether the model runs once before the first image. False if a request already waits for the
    start"""

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.type is int and each.metadata and getattr(self, each.name) != each.default:
                _check_bounds(each, getattr(self, each.name))
        if 0 < self.max_held_bytes < self.max_bytes:
            raise SettingsError(
                f"MAX_HELD_BYTES must be MAX_BYTES, {self.max_bytes}, or more; it is "
                f"{self.max_held_bytes}{self.in_each_process()}."
            )
        if self.prometheus_multiproc_dir and not Path(self.prometheus_multiproc_dir).is_dir():
            raise SettingsError(
                "PROMETHEUS_MULTIPROC_DIR must be a directory; it is "
                f"{self.prometheus_multiproc_dir!r}."
            )
        if not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise SettingsError("API_KEY must consist of printable ASCII without spaces.")
        try:
            parse_origins(self.cors_origins)
        except ValueError as error:
            raise SettingsError(f"CORS_ORIGINS must be {error}") from None
        if self.base_path and (not self.base_path.startswith("/") or self.base_path.endswith("/")):
            raise SettingsError(
                f"BASE_PATH must start with a slash and not end with one; it is {self.base_path!r}."
            )

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins of `cors_origins` as browsers send them, or `ANY_ORIGIN` alone."""
        return parse_origins(self.cors_origins)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings in `environment`. A variable that is unset or empty keeps its default; some
        defaults differ on Lambda. Raises `SettingsError`."""
        for name, replacement in _RETIRED.items():
            if environment.get(name):
                raise SettingsError(f"{name} has been replaced by {replacement}. Remove it.")
        values = _lambda_defaults(environment)
        for each in fields(cls):
            text = environment.get(each.name.upper(), "").strip()
            if not text or not each.metadata:
                continue
            if each.name in _NOT_ON_LAMBDA and "lambda_function" in values:
                continue
            if each.type is bool:
                values[each.name] = _switch(each.name, text)
                continue
            try:
                values[each.name] = each.type(text)  # type: ignore[operator]
            except ValueError:
                raise _unusable(each, text) from None
            if each.type is int:
                _check_bounds(each, values[each.name])
        if values.get("threads", math.inf) < values.get("web_concurrency", 0):
            raise SettingsError(
                f"THREADS must be {_processes_name(values)}, {values['web_concurrency']}, or more: "
                f"each process needs a thread. It is {values['threads']}."
            )
        return cls(**values)

    def share(self, processes: int) -> Self:
        """The settings of one of `processes` equal processes: rounded up, so that no core is idle
        and each has a thread. Raises `SettingsError` if a share is too small."""

        def part(total: int) -> int:
            return math.ceil(total / processes)

        return replace(
            self,
            web_concurrency=processes,
            threads=part(self.threads),
            queue=part(self.queue),
            memory_bytes=part(self.memory_bytes),
            max_held_bytes=part(self.max_held_bytes),
        )

    def in_each_process(self) -> str:
        """Words for messages about a share; empty if there is one process."""
        if self.web_concurrency <= 1:
            return ""
        return f" in each of {self.web_concurrency} processes ({self.processes_name})"

    @property
    def processes_name(self) -> str:
        """What sets the number of processes"""
        return _processes_name({"lambda_function": self.lambda_function})


def _processes_name(values: Mapping[str, Any]) -> str:
    return MAX_CONCURRENCY if values.get("lambda_function") else "WEB_CONCURRENCY"


def _lambda_defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    """A process of a function serves one request at a time, so its cores work on that one. An
    environment on Managed Instances has as many processes as it takes requests at once."""
    name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
    if not name:
        return {}
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0)
    values = {
        "lambda_function": name,
        "lambda_megabytes": memory,
        "max_bytes": LAMBDA_BODY_BYTES,
        "threads": 1,
        "access_log": False,
        "intra_op_threads": max(1, round(memory / _MEGABYTES_PER_CORE)),
        "warm_up": environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") != _ON_DEMAND,
    }
    concurrency = environment.get(MAX_CONCURRENCY, "").strip()
    if not concurrency:
        return values
    if not concurrency.isdecimal() or int(concurrency) < 1:
        raise SettingsError(
            f"{MAX_CONCURRENCY} must be a whole number of processes, 1 or more; it is "
            f"{concurrency!r}."
        )
    processes = int(concurrency)
    return values | {
        "web_concurrency": processes,
        "threads": processes,
        "intra_op_threads": max(1, usable_cores() // processes),
    }


def _switch(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise SettingsError(f"{name.upper()} must be 0 or 1; it is {text!r}.")
    return text == "1"


def _check_bounds(each: "Field[Any]", value: int) -> None:
    least, most = each.metadata["least"], each.metadata["most"]
    if value < least or (most is not None and value > most):
        raise _unusable(each, value)


def _unusable(each: "Field[Any]", value: object) -> SettingsError:
    unit, least, most = (each.metadata[key] for key in ("unit", "least", "most"))
    kind = f"a whole number of {unit}," if unit else "a whole number"
    bounds = f"{least} or more" if most is None else f"from {least} to {most}"
    return SettingsError(f"{each.name.upper()} must be {kind} {bounds}; it is {str(value)!r}.")
