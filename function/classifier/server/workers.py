"""The number of worker processes: the rule, and how many share this process's service."""

import logging
import math
import sys
from typing import Any, Final

from classifier.cpu import usable_cores
from classifier.memory import usable_memory
from classifier.settings import Settings

CORES_PER_PROCESS: Final = 4
"""Cores that one process keeps busy. With four, its GIL is held for less than half of the time, and
the rate is 94 % or more of what the cores allow; with sixteen, it is 66 %, or 49 % if they are
faster (docs/performance.md, `make bench-cores`)."""

PROCESS_BYTES: Final = 2**30
"""Memory that each process should have: a container of 1 GB takes the largest photos."""

_log = logging.getLogger(__name__)


def default_workers(settings: Settings) -> int:
    """Worker processes for the cores and the memory that this process may use, and its settings;
    1 or more."""
    memory = settings.memory_bytes or usable_memory()
    limits = [
        workers_for(min(settings.threads, usable_cores())),
        memory // PROCESS_BYTES,
    ]
    if settings.max_held_bytes:
        limits.append(settings.max_held_bytes // settings.max_bytes)
    return max(1, min(limits))


def workers_for(cores: int) -> int:
    """Worker processes that keep `cores` busy."""
    return math.ceil(cores / CORES_PER_PROCESS)


def service_processes(settings: Settings) -> int:
    """The number of processes that serve together with this one, itself included.

    uvicorn's supervisor passes the number to its workers, however it was started. Other servers,
    such as gunicorn, are assumed to have started WEB_CONCURRENCY processes.
    """
    if settings.lambda_function:
        return settings.web_concurrency or 1
    if "uvicorn" not in sys.modules or "gunicorn" in sys.modules:
        return settings.web_concurrency or 1
    if _is_child():
        workers = _workers_of(_supervisor_config())
        if workers is None:
            _log.warning(
                "The number of worker processes is unknown: each takes all of THREADS, QUEUE and "
                "memory. Set WEB_CONCURRENCY, or run: python -m classifier.server"
            )
        return workers or 1
    if not settings.web_concurrency and default_workers(settings) > 2:
        _log.warning(
            "One process keeps about %d of %d cores busy. To use all of them, run: "
            "python -m classifier.server",
            CORES_PER_PROCESS,
            usable_cores(),
        )
    return 1


def refusal_status() -> int:
    """The exit status of a process that cannot start. In a worker it is uvicorn's status of a
    failed start: its supervisor replaces a worker that ends with any other, again and again."""
    if "uvicorn" in sys.modules and (_workers_of(_supervisor_config()) or 1) > 1:
        from uvicorn.config import STARTUP_FAILURE

        return STARTUP_FAILURE
    return 2


def _is_child() -> bool:
    """Whether multiprocessing has started this process, as uvicorn's supervisor does. Not imported
    here: a process without that module was started otherwise."""
    module = sys.modules.get("multiprocessing")
    return module is not None and module.parent_process() is not None


def _supervisor_config() -> Any:
    """The configuration that uvicorn's supervisor gave this process, its child."""
    if not _is_child():
        return None
    # uvicorn passes the configuration to a worker only in the arguments of the process.
    arguments = getattr(sys.modules["multiprocessing"].current_process(), "_kwargs", {})
    return arguments.get("config")


def _workers_of(config: Any) -> int | None:
    """uvicorn has one worker with --reload, whatever the number."""
    if getattr(config, "reload", False):
        return 1
    return getattr(config, "workers", None)
