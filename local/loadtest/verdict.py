"""What a run must meet: its requirements, that all requests were answered, and that the client was
not the limit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from local.loadtest.junit import Case, write_junit
from local.loadtest.requirements import Figures, Requirement, run_figures
from local.loadtest.stats import Summary

ANSWERED: Final = "all requests are answered"
NOT_LATE: Final = "the client is not the limit"
COMPLETE: Final = "the run is complete"
STOPPED: Final = "The run was stopped early."


@dataclass(frozen=True)
class Measured:
    """The measurements of a run on which its verdict rests, by the scripts or by Locust."""

    title: str
    """The target and the plan."""
    command: str
    requests: int
    figures: Figures
    failures_by_kind: Mapping[str, int]
    client_limit: str | None
    """A sentence if the client was the limit."""
    incomplete: str | None
    """A sentence if the load was not all of the plan."""
    seconds: float
    """From the start to the end of the last request."""
    start: str
    """In UTC, ISO 8601."""


def figures_of(summary: Summary) -> dict[str, float | None]:
    """The figures of a run under the names that requirements use."""
    return run_figures(
        asdict(summary.latency_ms),
        asdict(summary.service_ms),
        asdict(summary.lateness_ms),
        requests=summary.requests,
        failed=summary.failures,
        rate=summary.throughput_rps,
    )


def decides_failures(requirements: Sequence[Requirement]) -> bool:
    """Whether a requirement, and not the first failure, decides about failures."""
    return any(requirement.is_about_failures for requirement in requirements)


def measured_of(summary: Summary) -> Measured:
    """The measurements of a run of the scripts."""
    return Measured(
        title=f"{summary.target}: {summary.description}",
        command=summary.command,
        requests=summary.requests,
        figures=figures_of(summary),
        failures_by_kind=summary.failures_by_kind,
        client_limit=summary.client_limit,
        incomplete=STOPPED if summary.stopped else None,
        seconds=summary.wall_s,
        start=summary.start,
    )


def cases(
    measured: Measured, requirements: Sequence[Requirement], *, late_ok: bool = False
) -> list[Case]:
    """A test case for each thing that the run must meet."""
    late = measured.client_limit
    found = [
        Case(COMPLETE, failed=measured.incomplete),
        Case(NOT_LATE, skipped=late) if late_ok else Case(NOT_LATE, failed=late),
    ]
    if not decides_failures(requirements):
        kinds = ", ".join(f"{count} {kind}" for kind, count in measured.failures_by_kind.items())
        count = sum(measured.failures_by_kind.values())
        failed = f"{count} of {measured.requests} requests failed: {kinds}"
        found.append(Case(ANSWERED, failed=failed if count else None))
    for requirement in requirements:
        met = requirement.is_met(measured.figures)
        line = f"{requirement}: {requirement.measured(measured.figures)}"
        found.append(Case(str(requirement), failed=None if met else line))
    return found


def results(summary: Summary, requirements: Sequence[Requirement]) -> list[dict[str, Any]]:
    """The requirements for JSON, with the measured value (failures with % as a share)."""
    figures = figures_of(summary)
    return [
        {
            "requirement": str(requirement),
            "measured": figures.get(requirement.figure),
            "met": requirement.is_met(figures),
        }
        for requirement in requirements
    ]


def write_verdict(
    path: Path, measured: Measured, requirements: Sequence[Requirement], *, late_ok: bool = False
) -> None:
    """Write `cases` as JUnit XML, with the figures as properties. Raises `OSError`."""
    figures = {name: value for name, value in measured.figures.items() if value is not None}
    write_junit(
        path,
        measured.title,
        cases(measured, requirements, late_ok=late_ok),
        properties={
            "command": measured.command,
            "requests": str(measured.requests),
            **{name: f"{value:.6g}" for name, value in figures.items()},
        },
        seconds=measured.seconds,
        start=measured.start[: len("2027-01-15T08:00:00")],
    )
