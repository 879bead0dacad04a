"""A user of the service, of which scenarios are made."""

import functools
import logging
import time

from client import Client, Outcome, sleep_until
from gevent.event import AsyncResult, Event
from gevent.pool import Group
from locust import User, task
from locust.env import Environment
from measures import record
from options import HOST, http_of, payloads_of, url_of
from start import Share, current_start

from local.common.cli import UsageError

AHEAD_SECONDS = 0.2
"""From preparing a request to sending it; at most `START_SECONDS`."""

log = logging.getLogger(__name__)


class Classifier(User):
    """A user of the service. `send` is the scenario: it calls `classify` or `classify_at` for each
    request."""

    abstract = True
    host = HOST

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        assert environment.parsed_options is not None
        self.options = environment.parsed_options
        self._start = current_start()
        self._is_late = self._start.ready()
        self._client = client_of(environment, self._start, environment.host or self.host)
        self._in_flight = Group()

    @property
    def share(self) -> Share:
        """The part of the load that this process sends."""
        return self._start.get().share

    @task
    def run_once(self) -> None:
        start = self._start.get()
        if not self._is_late:  # else Locust has replaced a user: its requests are no longer due
            self.send(start.at)
        Event().wait()  # until the shape ends the test

    def on_stop(self) -> None:
        self._in_flight.kill()

    def send(self, start: float) -> None:
        """Send the requests of one user; the first is due at `start` (`time.perf_counter`)."""
        raise NotImplementedError

    def classify_at(self, due: float) -> None:
        """POST an image at `due`. Returns shortly before that, without the response."""
        sleep_until(due - AHEAD_SECONDS)
        self._in_flight.spawn(self.classify, due)

    def classify(self, due: float) -> None:
        """POST an image at `due`, and wait for the response. Its time counts from `due`; without
        predictions it is a failure."""
        try:
            outcome = self._client.send(due)
        except Exception as error:  # the run would wait for this request forever
            log.exception("A request could not be sent.")
            outcome = Outcome(due, due, time.perf_counter(), repr(error), 0)
        record(self.environment, outcome, self._start.get().spans(outcome.ended))


class Unusable:
    """In place of a `Client`, if a worker cannot have one: each request fails."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, due: float) -> Outcome:
        sleep_until(due)
        return Outcome(due, due, due, self._reason, 0)


@functools.lru_cache(maxsize=1)
def client_of(
    environment: Environment, test: "AsyncResult[object]", host: str | None
) -> Client | Unusable:
    """The client that all users of this process share in one `test`."""
    options = environment.parsed_options
    assert options is not None
    try:
        url, payloads = url_of(host), payloads_of(options.image)
        return Client(url, payloads, http_of(options), options.request_timeout)
    except UsageError as error:
        log.error("%s", error)
        return Unusable(str(error))
