"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    """A table with unaligned source. Columns from index `numbers_from` on are right-aligned."""
    rule = ["---:" if number >= numbers_from else "---" for number in range(len(header))]
    return "\n".join(_line(cells) for cells in (header, rule, *rows))


def aligned_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose source is aligned too; short rows are padded with empty cells."""
    filled = [[*row, *[""] * (len(header) - len(row))] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*filled, strict=True)]

    def line(cells: Sequence[str]) -> str:
        numbers = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"

    rule = line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join([line(filled[0]), rule, *map(line, filled[1:])])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
