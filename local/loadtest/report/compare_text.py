"""The comparison of two runs as text."""

from collections.abc import Sequence
from typing import Literal

from local.loadtest.comparison import FAILURES, LEAST_BLOCKS, RATE, Comparison, Difference

Outcome = Literal[
    "slower", "faster", "more failures", "fewer failures", "no difference", "nothing can be said"
]


def verdict(comparison: Comparison) -> Outcome:
    """In a word or three."""
    if not comparison.is_possible:
        return "nothing can be said"
    times = {found.verdict for found in comparison.judged if found.metric != FAILURES}
    failures = {found.verdict for found in comparison.judged if found.metric == FAILURES}
    if "worse" in times:
        return "slower"
    if "worse" in failures:
        return "more failures"
    if "better" in times:
        return "faster"
    return "fewer failures" if "better" in failures else "no difference"


def sentence(comparison: Comparison) -> str:
    """The verdict, with the differences that it rests on."""
    outcome = verdict(comparison)
    if outcome == "nothing can be said":
        return (
            f"Nothing can be said: a has {_blocks(comparison.blocks[0])} and b has "
            f"{_blocks(comparison.blocks[1])} of a second or a wave; {LEAST_BLOCKS} are needed. "
            "Use longer runs."
        )
    judged = [found for found in comparison.judged if found.verdict != "unknown"]
    worse = [found for found in judged if found.verdict == "worse"]
    better = [found for found in judged if found.verdict == "better"]
    if outcome == "no difference":
        listed = ", ".join(describe(found) for found in judged)
        return f"No difference beyond {percent(comparison.tolerance)}: {listed}."
    start = {
        "slower": "b is slower than a",
        "more failures": "b fails more often than a",
        "faster": "b is faster than a",
        "fewer failures": "b fails less often than a",
    }[outcome]
    text = f"{start}: {', '.join(describe(found) for found in worse or better)}"
    if worse and better:
        text += f"; but better: {', '.join(describe(found) for found in better)}"
    return f"{text}."


def describe(difference: Difference) -> str:
    """Such as "p99 +21.0 % (+14.2 to +28.1 %)"."""
    if difference.change is None:
        return f"{difference.metric} unknown"
    return f"{difference.metric} {change(difference)}{_in_parentheses(interval(difference))}"


def change(difference: Difference) -> str:
    """Such as "+21.0 %", or "+0.10 points" of failures."""
    return "-" if difference.change is None else _signed([difference.change], difference.metric)


def interval(difference: Difference) -> str:
    """Such as "+14.2 to +28.1 %". Empty if it is unknown, or if nothing failed in either run: it
    would be a point."""
    if difference.low is None or difference.high is None or difference.low == difference.high:
        return ""
    return _signed([difference.low, difference.high], difference.metric)


def value(metric: str, figure: float | None) -> str:
    """A figure of one run, in the unit of `name`."""
    if figure is None:
        return "-"
    return f"{100 * figure:.2f}" if metric == FAILURES else f"{figure:.1f}"


def name(metric: str) -> str:
    """The metric with its unit."""
    return {FAILURES: "failures, %", RATE: "responses/s"}.get(metric, f"{metric}, ms")


def word(difference: Difference) -> str:
    """The verdict on a judged figure; empty for others."""
    if not difference.judged:
        return ""
    return "no difference" if difference.verdict == "same" else difference.verdict


def percent(share: float) -> str:
    return f"{100 * share:g} %"


def format_comparison(
    comparison: Comparison, titles: Sequence[str], warnings: Sequence[str]
) -> str:
    """The whole comparison; `titles` are those of a and b."""
    head = f"{'':<13}{'a':>10}{'b':>10}{'difference':>15}  {level(comparison):<24}"
    rows = [
        f"{name(found.metric):<13}{value(found.metric, found.a):>10}"
        f"{value(found.metric, found.b):>10}{change(found):>15}  {interval(found):<24}"
        f"{word(found)}".rstrip()
        for found in comparison.differences
    ]
    return "\n".join(
        [
            *(f"warning: {line}" for line in warnings),
            *(f"{run}  {title}" for run, title in zip("ab", titles, strict=True)),
            "",
            head.rstrip(),
            *rows,
            "",
            rule(comparison),
            sentence(comparison),
        ]
    )


def rule(comparison: Comparison) -> str:
    """How the verdict is reached."""
    judged = ", ".join(found.metric for found in comparison.judged)
    return (
        f"Judged: {judged}; tolerance {percent(comparison.tolerance)}, of failures none. Latencies "
        "are those of answered requests."
    )


def level(comparison: Comparison) -> str:
    """Of the intervals; empty without."""
    return f"{100 * comparison.confidence:.1f} % interval" if comparison.is_possible else ""


def _signed(shares: Sequence[float], metric: str) -> str:
    digits, unit = (2, "points") if metric == FAILURES else (1, "%")
    # Zero is added, so that no number is -0.0.
    numbers = (f"{round(100 * share, digits) + 0.0:+.{digits}f}" for share in shares)
    return f"{' to '.join(numbers)} {unit}"


def _in_parentheses(text: str) -> str:
    return f" ({text})" if text else ""


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"
