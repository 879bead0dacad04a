"""The verdict on a run, and the exit status.

0 all answered, 1 a request failed (unless a requirement about failures decides), 2 invalid options,
3 a requirement is broken, 4 the client was the limit, 128 + n stopped by signal n.
"""

import logging
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.stats import StatsEntry, StatsError
from measures import LATENESS, tally
from options import Options, requirements_of, url_of

from local.loadtest.environment import environment as command_line
from local.loadtest.environment import without_secrets
from local.loadtest.honesty import client_limit, lack_of_resources
from local.loadtest.requirements import broken, run_figures
from local.loadtest.verdict import STOPPED, Measured, decides_failures, write_verdict

log = logging.getLogger(__name__)

INVALID, BROKEN, CLIENT_LIMIT = 2, 3, 4


def limit_of_client(environment: Environment) -> str | None:
    """A sentence if the figures are not those of the service but of Locust."""
    latency, lateness = (
        _statistics(entry)
        for entry in (environment.stats.total, environment.stats.entries.get((LATENESS, "")))
    )
    times = (entry.get(name) for entry in (lateness, latency) for name in ("p50", "p99"))
    return lack_of_resources(failures_by_kind(environment)) or client_limit(*times)


def failures_by_kind(environment: Environment) -> dict[str, int]:
    """Occurrences of the failures that `measures.record` has counted."""
    return {
        # Workers send the text of an exception.
        StatsError.parse_error(error.error)
        .removeprefix("CatchResponseError('")
        .removesuffix("')"): error.occurrences
        for error in environment.stats.errors.values()
    }


def span_of(environment: Environment, requests: int, span: float | None) -> float | None:
    """The seconds of `span` that are over: all, unless --run-time has ended the run."""
    total = environment.stats.total
    if span is None or tally.finished >= requests:
        return span
    return min(span, (total.last_request_timestamp or total.start_time) - total.start_time)


def rate_of(environment: Environment, span: float | None) -> float | None:
    """Throughput in responses per second: those that arrived while requests were due, over that
    time; without it, all responses over the time to the last."""
    total = environment.stats.total
    if span is not None:
        return tally.answered_in_span / span if span > 0 else None
    answered = total.num_requests - total.num_failures
    if not answered or not total.last_request_timestamp:
        return None
    return answered / (total.last_request_timestamp - total.start_time)


def basis(span: float | None) -> str:
    """What `rate_of` divides by."""
    if span is None:
        return "over the time to the last response"
    return f"those within the {span:g} s in which requests were due"


def measured(environment: Environment, span: float | None, incomplete: str | None) -> Measured:
    """The measurements of the run that has ended; `incomplete` is that of `Measured`."""
    options, total = environment.parsed_options, environment.stats.total
    assert options is not None
    started = datetime.fromtimestamp(total.start_time, UTC)
    return Measured(
        title=" ".join(without_secrets([f"{_url(environment)}: {_scenario(environment)}"])),
        command=command_line().command,
        requests=total.num_requests,
        figures=run_figures(
            _statistics(total),
            {},
            _statistics(environment.stats.entries.get((LATENESS, ""))),
            requests=total.num_requests,
            failed=total.num_failures,
            rate=rate_of(environment, span),
        ),
        failures_by_kind=failures_by_kind(environment),
        client_limit=limit_of_client(environment),
        incomplete=incomplete,
        seconds=max(0.0, (total.last_request_timestamp or total.start_time) - total.start_time),
        start=started.isoformat(),
    )


def _url(environment: Environment) -> str:
    """Where images were posted."""
    host = environment.host or next((found.host for found in environment.user_classes), None)
    return url_of(host)


def _scenario(environment: Environment) -> str:
    """Its name."""
    return type(environment.shape_class).__name__.lower()


def _statistics(entry: StatsEntry | None) -> dict[str, float | None]:
    """In milliseconds, as Locust's tables have them."""
    if entry is None or entry.num_requests == entry.num_none_requests:
        return {}
    percentiles = {
        f"p{100 * p:g}": float(entry.get_response_time_percentile(p))
        for p in (0.5, 0.9, 0.95, 0.99, 0.999)
    }
    return {
        "min": entry.min_response_time,
        "mean": entry.avg_response_time,
        "max": entry.max_response_time,
        **percentiles,
    }


class Verdict:
    """Says what is wrong with a run, and decides on the exit status."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._stopped_by: int | None = None
        self._has_spoken = False
        self._has_started = False
        hub = gevent.get_hub()  # which would print a traceback
        hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def on_test_start(self, **_: Any) -> None:
        self._has_spoken, self._has_started = False, True
        self._environment.process_exit_code = None

    def on_test_stopping(self, **_: Any) -> None:
        if not self._shape.has_ended:
            self._shape.check_workers()

    def on_test_stop(self, **_: Any) -> None:
        """For the page and the reports: before they are written."""
        if sentence := self.disturbance():
            self._say(sentence)

    def on_quitting(self, **_: Any) -> None:
        self._environment.process_exit_code = self._status()
        options = self._environment.parsed_options
        if options.junit and self._has_started:
            self._write_junit(options)

    def _write_junit(self, options: Options) -> None:
        path, requirements = Path(options.junit), requirements_of(options)
        try:
            write_verdict(path, self._measured(options), requirements)
        except OSError as error:
            log.error("%s cannot be written: %s.", path, error.strerror)
            self._environment.process_exit_code = INVALID

    def disturbance(self) -> str | None:
        """A sentence if the figures are not those of the service under the load of the options."""
        return self._changed_load() or limit_of_client(self._environment)

    def _changed_load(self) -> str | None:
        """A sentence if workers were lost or joined late."""
        said = self._shape.disturbance
        return f"The load differed from the plan: {said}." if said else None

    def _say(self, sentence: str) -> None:
        """Once for each run; also among the exceptions on the page and in the reports."""
        if not self._has_spoken:
            self._has_spoken = True
            log.warning("%s", sentence)
            self._environment.runner.log_exception("client", sentence, "")

    def _status(self) -> int | None:
        """None: Locust's own status."""
        options, code = self._environment.parsed_options, self._environment.process_exit_code
        if self._was_stopped(options):
            return 128 + self._stopped_by
        if code == INVALID:
            return code
        if sentence := self.disturbance():
            self._say(sentence)
            return CLIENT_LIMIT
        return self._required_status(options)

    def _required_status(self, options: Options) -> int | None:
        span, requirements = self._span(options), requirements_of(options)
        if rate := rate_of(self._environment, span):
            log.info("Throughput: %.2f responses/s (%s).", rate, basis(span))
        if lines := broken(requirements, self._measured(options).figures):
            for line in lines:
                log.error("Required %s.", line)
            return BROKEN
        return 0 if decides_failures(requirements) else None

    def _measured(self, options: Options) -> Measured:
        has_ended = self._shape.has_ended and not self._was_stopped(options)
        incomplete = self._changed_load() or (None if has_ended else STOPPED)
        return measured(self._environment, self._span(options), incomplete)

    def _span(self, options: Options) -> float | None:
        load = self._shape.load(options)
        return span_of(self._environment, load.requests, load.span)

    def _was_stopped(self, options: Options) -> bool:
        """By a signal. On a page, that is how Locust is ended."""
        return self._stopped_by is not None and options.headless

    @property
    def _shape(self) -> Any:
        return self._environment.shape_class

    def _on_signal(self, number: int, _: Any) -> None:
        """As at Ctrl-C: Locust does not handle SIGTERM while a shape runs, and its workers would
        be left behind."""
        self._stopped_by = number
        raise KeyboardInterrupt


def add_verdict(environment: Environment) -> None:
    verdict, hooks = Verdict(environment), environment.events
    hooks.test_start.add_listener(verdict.on_test_start)
    hooks.test_stopping.add_listener(verdict.on_test_stopping)
    hooks.test_stop.add_listener(verdict.on_test_stop)
    hooks.quitting.add_listener(verdict.on_quitting)
