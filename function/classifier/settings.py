"""Every setting of the service: an environment variable, its default, unit and meaning."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

SHIPPED_MODEL = Path(__file__).resolve().parent.parent / "model"


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names it and says what would do."""


def available_cores() -> int:
    """The number of CPU cores this process may run on (its affinity mask)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    max_pixels: int = _setting("Largest image, width times height", "pixels", default=64_000_000)
    max_files: int = _setting("Most images in one request", "images", default=32)
    threads: int = _setting(
        "Images decoded and classified at the same time; the default is one for each core",
        "threads",
        default_factory=available_cores,
    )
    intra_op_threads: int = _setting(
        "Threads that ONNX Runtime uses for one image", "threads", default=1
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.type is int and getattr(self, each.name) < 1:
                raise _unusable(each.name, each.metadata["unit"], getattr(self, each.name))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings that `environment` asks for; a variable that is unset or empty keeps the
        default. Raises `SettingsError`."""
        values: dict[str, Any] = {}
        for each in fields(cls):
            text = environment.get(each.name.upper(), "").strip()
            if not text:
                continue
            try:
                values[each.name] = each.type(text)  # type: ignore[operator]
            except ValueError:
                raise _unusable(each.name, each.metadata["unit"], text) from None
        return cls(**values)


def _unusable(name: str, unit: str, value: object) -> SettingsError:
    return SettingsError(
        f"{name.upper()} must be a whole number of {unit}, 1 or more; it is {str(value)!r}."
    )
