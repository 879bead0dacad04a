"""Whether the load client, and not the service, set the figures of a run."""

from collections.abc import Mapping
from typing import Final

MOST_SHARE: Final = 0.1
"""Lateness may be this share of latency. Above it, a tenth of what the report says of the service
is the client's own delay."""

LEAST_MS: Final = 2.0
"""A lateness of at most this many milliseconds is never the limit: the operating system wakes a
process up that late now and then, however little it has to do."""

ADVICE: Final = "Send less, end other programs, or use more cores or machines."

LOST_PROCESSES: Final = ("process killed", "process not started")

OWN_FAILURES: Final = frozenset(
    {*LOST_PROCESSES, "EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"}
)
"""Kinds of failures for lack of the client's own processes, descriptors, ports or memory. Those in
capitals are error codes of connect(2) and socket(2)."""


def client_limit(
    lateness_p50: float | None,
    lateness_p99: float | None,
    latency_p50: float | None,
    latency_p99: float | None,
) -> str | None:
    """A sentence if the client sent so late that the latencies are not the service's, else None.

    All in milliseconds; None without requests. Latency counts from the due time, so it contains
    the lateness.
    """
    pairs = (("p99", lateness_p99, latency_p99), ("p50", lateness_p50, latency_p50))
    for name, late, latency in pairs:
        if late is None or latency is None:
            continue
        if late > LEAST_MS and late > MOST_SHARE * latency:
            return (
                f"The client was the limit: its own lateness, {late:.1f} ms at {name}, is more "
                f"than {MOST_SHARE:.0%} of the latency, {latency:.1f} ms. {ADVICE}"
            )
    return None


def lack_of_resources(failures_by_kind: Mapping[str, int]) -> str | None:
    """A sentence if requests failed for lack of the client's own resources, else None."""
    own = {kind: count for kind, count in failures_by_kind.items() if kind in OWN_FAILURES}
    if not own:
        return None
    kinds = ", ".join(f"{count} {kind}" for kind, count in own.items())
    return (
        f"The client was the limit: it ran out of resources, and requests failed ({kinds}). "
        "Send less, raise its limits (ulimit -n), or use several machines."
    )
