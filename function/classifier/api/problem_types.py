"""The list of problem types, from the classes of `classifier.errors`."""

from collections.abc import Iterator

from classifier.errors import ServiceError

ProblemType = type[ServiceError]


def problem_types() -> list[ProblemType]:
    """One class for each type, ordered by status."""
    found: dict[str, ProblemType] = {}
    for kind in _subclasses(ServiceError):
        found.setdefault(kind.slug, kind)
    return sorted(found.values(), key=lambda kind: (kind.status, kind.slug))


def meaning(kind: ProblemType) -> str:
    """The docstring of the class, in one line."""
    return " ".join((kind.__doc__ or "").split())


def _subclasses(base: ProblemType) -> Iterator[ProblemType]:
    for kind in base.__subclasses__():
        if "slug" in vars(kind):
            yield kind
        yield from _subclasses(kind)
