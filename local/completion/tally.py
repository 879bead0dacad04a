"""What became of the photos: counts, by kind of failure, class and model."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar

from local.completion.places import Report
from local.completion.seen import Seen
from local.completion.tasks import SKIPPED, Entry, Task, identity

_CHUNK: Final = 20_000
EXAMPLES: Final = 5
_KINDS: Final = 200
_OTHER: Final = "other failures"

_Row = TypeVar("_Row", Task, Entry)


@dataclass
class Tally:
    """Counts of photos, each by its last task; `twice` and `missing` with examples."""

    classified: int = 0
    permanent: Counter[str] = field(default_factory=Counter)
    temporary: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    """Folders"""
    no_result: int = 0
    """Succeeded tasks without predictions, for example of another function"""
    replaced: int = 0
    """Tasks of photos that a later job ran again"""
    twice: int = 0
    twice_examples: list[str] = field(default_factory=list)
    missing: int = 0
    missing_examples: list[str] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    @property
    def objects(self) -> int:
        """Objects with at least one task: photos and folders"""
        return self.classified + self.failed + self.skipped + self.no_result

    @property
    def failed(self) -> int:
        return self.permanent.total() + self.temporary.total()

    @property
    def is_complete(self) -> bool:
        """Whether every photo has exactly one task that classified it; folders do not count. An
        empty report is not complete: more likely it was cut off."""
        wrong = self.failed or self.no_result or self.twice or self.missing
        return self.objects > 0 and not wrong

    def add(self, task: Task) -> dict[str, Any] | None:
        """Count a task. Returns its result, if it has one."""
        if not task.succeeded:
            counts = self.permanent if task.is_permanent else self.temporary
            kind = task.kind
            counts[kind if kind in counts or len(counts) < _KINDS else _OTHER] += 1
            return None
        result = task.result()
        if result is None:
            self.no_result += 1
            return None
        if SKIPPED in result:
            self.skipped += 1
            return None
        self.classified += 1
        self.models[str(result.get("model", ""))] += 1
        self.classes[str(result["predictions"][0]["label"])] += 1
        return result


def last_tasks(reports: Sequence[Report], tally: Tally, seen: Seen) -> Iterator[Task]:
    """One task of each photo, that of the latest report; `seen` gets the photos. Counts tasks that
    a later one replaced, and photos that a job has more than once. Raises `UsageError`."""
    for report in reversed(reports):
        own = Seen()
        tasks = (task for part in report.parts for task in part.tasks())
        for chunk in _chunks(tasks):
            numbers = [identity(task) for task in chunk]
            first, later = own.add(numbers).tolist(), seen.contains(numbers).tolist()
            for task, is_first, is_replaced in zip(chunk, first, later, strict=True):
                if not is_first:
                    tally.twice += 1
                    _remember(tally.twice_examples, task)
                elif is_replaced:
                    tally.replaced += 1
                else:
                    yield task
        seen.update(own)


def missing_entries(entries: Iterable[Entry], tally: Tally, seen: Seen) -> Iterator[Entry]:
    """The entries of a manifest that no report has; counts them."""
    for chunk in _chunks(entries):
        known = seen.contains([identity(entry) for entry in chunk])
        for entry, is_known in zip(chunk, known.tolist(), strict=True):
            if not is_known:
                tally.missing += 1
                _remember(tally.missing_examples, entry)
                yield entry


def _chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _remember(examples: list[str], row: Task | Entry) -> None:
    if len(examples) < EXAMPLES:
        examples.append(f"s3://{row.bucket}/{row.raw_key}")
