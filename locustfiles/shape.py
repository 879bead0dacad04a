"""The load of a scenario, and when it ends."""

import logging
from typing import Any, NamedTuple

import verdict
from locust import LoadTestShape
from locust.runners import STATE_INIT, LocalRunner
from measures import reset_tally, tally
from options import Options, check_reports, http_of, payloads_of, url_of
from start import workers_of

from local.common.cli import UsageError
from local.loadtest.target import parse_url, resolve

log = logging.getLogger(__name__)


class Load(NamedTuple):
    """What a scenario sends."""

    users: int
    requests: int
    """Of all users."""
    span: float | None
    """Seconds in which requests are due; None if that depends on the responses, or all are due at
    once."""


class UntilAnswered(LoadTestShape):
    """The users of a load, until each of its requests has a response or has failed: no request is
    cut off, unless --run-time is over."""

    abstract = True
    use_common_options = True  # else Locust says that it ignores --run-time

    def load(self, options: Options) -> Load:
        """The load that `options` describe. Raises `UsageError`."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.has_ended = False
        """The test has ended by itself: it was not stopped."""
        self.disturbance = ""
        """Says why the load was not that of the options."""
        self._workers: set[str] = set()

    def workers(self) -> set[str]:
        """The ids of the connected workers, if there are any."""
        return set(workers_of(self.runner))

    @property
    def processes(self) -> int:
        """The number of processes that send requests."""
        return len(self.workers()) or 1

    def reset_time(self) -> None:
        """A new test."""
        super().reset_time()
        self.has_ended, self.disturbance = False, ""
        if self.runner is not None:
            self.runner.stats.clear_all()
            reset_tally()  # Locust's test starts after the first tick
            self._workers = self.workers()

    def tick(self) -> tuple[int, float] | None:
        """Each second: the number of users and how many to start each second; None at the end."""
        assert self.runner is not None
        environment = self.runner.environment
        assert environment.parsed_options is not None
        options: Any = environment.parsed_options
        self.check_workers()
        try:
            if self.runner.state == STATE_INIT:
                self.check(options)
            load = self.load(options)
        except UsageError as error:
            log.error("%s", error)
            environment.process_exit_code = verdict.INVALID
            return self._end()
        if self.disturbance or tally.finished >= load.requests:
            return self._end()
        if options.run_time and self.get_run_time() >= options.run_time:
            log.info("--run-time is over; %d requests have ended.", tally.finished)
            return self._end()
        return load.users, load.users

    def _end(self) -> None:
        self.has_ended = True

    def check(self, options: Options) -> None:
        """Raises `UsageError` if no test can be run with `options`."""
        assert self.runner is not None
        environment = self.runner.environment
        if len(environment.available_shape_classes or {}) > 1 and not options.class_picker:
            raise UsageError("Locust runs one scenario at a time. Name one file with -f.")
        self.load(options)
        payloads_of(options.image)
        http_of(options)
        check_reports(options)
        for user_class in self.runner.user_classes:
            if not any(has_tags(task, options) for task in user_class.tasks):
                raise UsageError("--tags and --exclude-tags leave no task. Leave them out.")
        host = options.host or environment.host or self.runner.user_classes[0].host
        url = parse_url(url_of(host))
        if isinstance(self.runner, LocalRunner) or options.processes:
            resolve(url)  # workers on other machines may reach what this one cannot

    def check_workers(self) -> None:
        """Sets `disturbance` if workers are not those with which the test has started."""
        connected = self.workers()
        lost, joined = self._workers - connected, connected - self._workers
        if lost:
            self.disturbance = f"workers lost: {len(lost)} of {len(self._workers)}"
        elif joined:
            self.disturbance = f"workers that joined late: {len(joined)} (use --expect-workers)"


def has_tags(task: Any, options: Options) -> bool:
    """Whether --tags and --exclude-tags leave `task`."""
    tags: set[str] = getattr(task, "locust_tag_set", set())
    return (not options.tags or bool(tags & set(options.tags))) and not (
        tags & set(options.exclude_tags or [])
    )
