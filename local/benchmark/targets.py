"""Targets of the benchmark, and the verdict.

Every figure except memory and failures is a ratio of two measurements of the same round, so the
targets hold on any machine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from local.benchmark.coldstart import BASELINE, HANDLER
from local.benchmark.servers.server import NAIVE, SERVICE
from local.common.verdict import GROSS_RUNS, Figures, Threshold, all_met_grossly, conclude

CPU: Final = "CPU a request / baseline"
RATE: Final = "requests/s at 8 connections / baseline"
TAIL: Final = "p99/p50 at 2 connections / baseline's"
RATE_OF_NAIVE: Final = "requests/s at 8 connections / tutorial app"
LARGE: Final = "CPU of a 12-megapixel JPEG / tutorial app"
PEAK: Final = "peak memory"
START: Final = "cold start / baseline"
START_OF_NAIVE: Final = "cold start / tutorial app"
FAILED: Final = "failed requests"

TARGETS: Final = (
    Threshold(CPU, 1.2),
    Threshold(RATE, 0.8, at_least=True),
    Threshold(TAIL, 1.5),
    Threshold(RATE_OF_NAIVE, 2, at_least=True),
    Threshold(LARGE, 0.35),
    Threshold(PEAK, 250, "MB", every=True),
    # The handler's start, for which a caller of Lambda waits; uvicorn's happens before any request.
    Threshold(START, 1.25),
    Threshold(START_OF_NAIVE, 0.8),
    Threshold(FAILED, 0, every=True),
)


def judge(run: Callable[[], Mapping[str, Any]], *, gross: bool) -> int:
    """Call `run` to measure and print the verdict. Returns the exit status: 0, or 1 if a target was
    missed or a part could not be measured.

    The repetitions are the rounds of one run. With `gross` they are whole runs, until one meets the
    targets within the factor or a part cannot be measured.
    """
    repetitions: list[Figures] = []
    for _ in range(GROSS_RUNS if gross else 1):
        figures = run()
        rounds = figures_by_round(figures)
        repetitions += [as_one(rounds)] if gross else rounds
        measured = [*figures.get("servers", {}).values(), figures.get("start", {})]
        add_service_io = not any("why" in part for part in measured)
        if not add_service_io or all_met_grossly(repetitions[-1], judged(repetitions)):
            break
    status = verdict(repetitions, gross=gross)
    return status if add_service_io else 1


def figures_by_round(figures: Mapping[str, Any]) -> list[dict[str, float]]:
    """The figures that have a target, by name, for each round of `figures`, if both sides of the
    ratio were measured."""
    servers = {key: server.get("rounds", []) for key, server in figures.get("servers", {}).items()}
    starts = figures.get("start", {})
    starts = {key: start["rounds"] for key, start in starts.items()} if "why" not in starts else {}
    result = []
    for number in range(figures["rounds"]):
        found: dict[str, float] = {}
        if service := _of_round(servers, SERVICE.key, number):
            baseline, naive = (
                figures["baseline"]["rounds"][number],
                _of_round(servers, NAIVE.key, number),
            )
            found |= _load_figures(service, baseline, naive) if "at_8" in service else {}
            found |= _large_figures(service, naive) if "large_cpu_ms" in service else {}
            found[PEAK] = max(service.get(peak, 0) for peak in ("peak_mb", "large_peak_mb"))
        if handler := _of_round(starts, HANDLER, number):
            found[START] = handler["ms"] / _of_round(starts, BASELINE, number)["ms"]
            if naive := _of_round(starts, NAIVE.key, number):
                found[START_OF_NAIVE] = handler["ms"] / naive["ms"]
        result.append(found)
    return result


def judged(repetitions: Sequence[Figures]) -> list[Threshold]:
    """The targets whose figures were measured in every repetition."""
    return [target for target in TARGETS if all(target.name in figures for figures in repetitions)]


def as_one(rounds: Sequence[Figures]) -> Figures:
    """The rounds of a run combined into one repetition."""
    return {
        target.name: target.of([figures[target.name] for figures in rounds])
        for target in judged(rounds)
    }


def verdict(repetitions: Sequence[Figures], *, gross: bool) -> int:
    """Print the verdict and the targets that were not measured. Returns the exit status."""
    targets = judged(repetitions)
    status = conclude(repetitions, targets, gross=gross) if targets else 0
    if left_out := ", ".join(target.name for target in TARGETS if target not in targets):
        print(f"not measured: {left_out}")
    return status


def _of_round(rounds: Mapping[str, Any], key: str, number: int) -> Any:
    return rounds[key][number] if rounds.get(key) else {}


def _load_figures(
    service: Mapping[str, Any], baseline: Mapping[str, float], naive: Mapping[str, Any]
) -> dict[str, float]:
    two, eight = service["at_2"], service["at_8"]
    found = {
        CPU: eight["cpu_of_baseline"],
        RATE: eight["requests_s"] / baseline["busy_images_s"],
        TAIL: two["p99_of_p50"] / (baseline["busy_p99_ms"] / baseline["busy_p50_ms"]),
        FAILED: two["failed"] + eight["failed"],
    }
    if naive:
        found[RATE_OF_NAIVE] = eight["requests_s"] / naive["at_8"]["requests_s"]
    return found


def _large_figures(service: Mapping[str, Any], naive: Mapping[str, Any]) -> dict[str, float]:
    return {LARGE: service["large_cpu_ms"] / naive["large_cpu_ms"]} if naive else {}
