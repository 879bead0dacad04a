"""Whether this process should get requests: the result of `GET /readyz` for load balancers."""

from typing import Final

from classifier.errors import NotReady
from classifier.server.admission import Admission

CROWDED_SECONDS: Final = 3
"""The queue is full for a moment in each burst; a balancer that reacted to it would send the burst
to the next instance, and so on."""


class Readiness:
    """The service is ready from its start until it drains, except while it is overloaded."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.draining = False
        """Whether the service is about to shut down"""

    def check(self) -> None:
        """Raises `NotReady` while draining, or while requests have had to wait for
        `CROWDED_SECONDS` or more. Called from the event loop."""
        if self.draining:
            raise NotReady("The service is shutting down. Send requests to another instance.")
        if self._admission.crowded_seconds >= CROWDED_SECONDS:
            raise NotReady(
                f"The queue has been full for {CROWDED_SECONDS} seconds or more. Send requests to "
                "another instance."
            )
