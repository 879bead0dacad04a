"""What a run must meet: its requirements, that all requests were answered, and that the client was
not the limit."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from local.loadtest.junit import Case, write_junit
from local.loadtest.requirements import Requirement, run_figures
from local.loadtest.stats import Summary

ANSWERED: Final = "all requests are answered"
NOT_LATE: Final = "the client is not the limit"
COMPLETE: Final = "the run is complete"


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


def cases(summary: Summary, requirements: Sequence[Requirement], late_ok: bool) -> list[Case]:
    """A test case for each thing that the run must meet."""
    figures = figures_of(summary)
    late = summary.client_limit
    found = [
        Case(COMPLETE, failed="The run was stopped early." if summary.stopped else None),
        Case(NOT_LATE, skipped=late) if late_ok else Case(NOT_LATE, failed=late),
    ]
    if not decides_failures(requirements):
        kinds = ", ".join(f"{count} {kind}" for kind, count in summary.failures_by_kind.items())
        failed = f"{summary.failures} of {summary.requests} requests failed: {kinds}"
        found.append(Case(ANSWERED, failed=failed if summary.failures else None))
    for requirement in requirements:
        met = requirement.is_met(figures)
        line = f"{requirement}: {requirement.measured(figures)}"
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
    path: Path, summary: Summary, requirements: Sequence[Requirement], *, late_ok: bool
) -> None:
    """Write `cases` as JUnit XML, with the figures as properties. Raises `OSError`."""
    figures = {name: value for name, value in figures_of(summary).items() if value is not None}
    write_junit(
        path,
        f"{summary.target}: {summary.description}",
        cases(summary, requirements, late_ok),
        properties={
            "command": summary.command,
            "requests": str(summary.requests),
            **{name: f"{value:.6g}" for name, value in figures.items()},
        },
        seconds=summary.wall_s,
        start=summary.start[: len("2027-01-15T08:00:00")],
    )
