"""The memory budget of this process."""

from typing import Final

from classifier.images import MemoryBudget
from classifier.memory import available_memory
from classifier.settings import Settings, SettingsError

MIN_BYTES: Final = 64 * 2**20
"""Less would refuse photos of phones."""


def process_budget(settings: Settings) -> MemoryBudget:
    """The budget that `settings`, the share of this process, give, or else the memory of the
    process. Called when the model is loaded, so that its memory is not given away. Raises
    `SettingsError` below 64 MiB."""
    processes = max(1, settings.web_concurrency)
    limit = settings.memory_bytes or available_memory(
        settings.lambda_megabytes, settings.threads, processes
    )
    if limit < MIN_BYTES:
        reducible = "THREADS" if processes == 1 else settings.processes_name
        raise SettingsError(
            f"{max(0, limit) / 2**20:.0f} MiB of memory are left for images"
            f"{settings.in_each_process()}; at least {MIN_BYTES / 2**20:.0f} MiB are needed. Give "
            f"the container more memory, or reduce {reducible}."
        )
    if settings.max_held_bytes > limit - MIN_BYTES // 2:
        raise SettingsError(
            f"MAX_HELD_BYTES must leave {MIN_BYTES // 2**21} MiB for images: at most "
            f"{limit - MIN_BYTES // 2} of the {limit} bytes; it is {settings.max_held_bytes}"
            f"{settings.in_each_process()}."
        )
    return MemoryBudget(limit, bodies=settings.max_held_bytes or None)
