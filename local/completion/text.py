"""A summary of completion reports, for people and as JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from local.completion.tally import Tally

_SHOWN: Final = 10


def summary_lines(tally: Tally, jobs: int) -> Iterator[str]:
    reports = "report" if jobs == 1 else "reports"
    yield f"{_number(tally.objects, 'object')} in the {reports} of {_number(jobs, 'job')}"
    yield f"{tally.classified:,} classified{_share(tally.classified, tally.objects)}{_by(tally)}"
    for name, counts, advice in (
        ("permanent", tally.permanent, "another run would not help"),
        ("temporary", tally.temporary, "run these again: --failed"),
    ):
        count = counts.total()
        if count:
            yield f"{count:,} failed, {name}{_share(count, tally.objects)}; {advice}"
            yield from _most(counts)
    if tally.skipped:
        yield f"{_number(tally.skipped, 'folder')} skipped"
    if tally.no_result:
        yield f"{tally.no_result:,} succeeded without predictions: another function?"
    if tally.replaced:
        yield f"{_number(tally.replaced, 'task')} run again by a later job, whose result counts"
    if tally.twice:
        yield f"{_number(tally.twice, 'task')} of photos that the job has already, for example:"
        yield from (f"    {example}" for example in tally.twice_examples)
    if tally.missing:
        yield f"{_number(tally.missing, 'photo')} of the manifest without a task, for example:"
        yield from (f"    {example}" for example in tally.missing_examples)
    if tally.classes:
        yield f"most frequent of {_number(len(tally.classes), 'class', 'classes')}:"
        yield from _most(tally.classes)


def as_json(tally: Tally, jobs: int) -> dict[str, Any]:
    return {
        "jobs": jobs,
        "objects": tally.objects,
        "classified": tally.classified,
        "permanent": dict(tally.permanent.most_common()),
        "temporary": dict(tally.temporary.most_common()),
        "skipped": tally.skipped,
        "no_result": tally.no_result,
        "replaced": tally.replaced,
        "twice": tally.twice,
        "missing": tally.missing,
        "models": dict(tally.models.most_common()),
        "classes": dict(tally.classes.most_common()),
    }


def _number(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _share(count: int, of: int) -> str:
    return f" ({count / of:.2%})" if of else ""


def _by(tally: Tally) -> str:
    names = ", ".join(name for name, _ in tally.models.most_common() if name)
    return f" by {names}" if names else ""


def _most(counts: Counter[str]) -> Iterator[str]:
    for name, count in counts.most_common(_SHOWN):
        shown = "".join(each if each.isprintable() else "?" for each in name)
        yield f"{count:>11,}  {shown}"
    if len(counts) > _SHOWN:
        rest = counts.total() - sum(count for _, count in counts.most_common(_SHOWN))
        yield f"{rest:>11,}  others"
