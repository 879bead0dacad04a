"""Markdown tables of text, whose columns are not aligned."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    """A table; the columns from the number `numbers_from` on, counted from 0, are right-aligned."""
    rule = ["---:" if number >= numbers_from else "---" for number in range(len(header))]
    return "\n".join(_line(cells) for cells in (header, rule, *rows))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
