"""The problem types, as `classifier.errors` declares them."""

from classifier.api.problem_types import meaning, problem_types
from local.common.markdown import table


def problems_table() -> str:
    """One row for each type, ordered by status."""
    rows = [
        (f"`/problems#{kind.slug}`", str(kind.status.value), meaning(kind))
        for kind in problem_types()
    ]
    return table(("type", "status", "meaning"), rows)
