"""Tables of goodput by connections, for the terminal and the documentation."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.benchmark.overload.bounds import full_queue_seconds
from local.benchmark.overload.plan import PLAIN, REFERENCE
from local.common.markdown import aligned_table

Figures = Mapping[str, Any]


def goodput_table(figures: Figures) -> str:
    """A row for each number of connections: the goodput of each server, its share of that with the
    reference before and after, and p99 of the good responses; medians of the repetitions."""
    servers = measured(figures)
    header = ("connections", *(server["title"] for server in servers))
    rows = []
    for connections in numbers(figures):
        cells = (_goodput_cell(server, connections) for server in servers)
        rows.append((f"{connections:,}", *cells))
    return aligned_table(header, rows)


def service_table(figures: Figures) -> str:
    """A row for each crowd of the service: what the clients, its memory and its monitoring saw;
    medians of the repetitions."""
    service = figures["servers"]["service"]
    header = (
        *("crowd", "goodput", "÷ at 64", "503/s", "p50 / p99 s of 200", "bound s"),
        *("p99 s of 503", "/healthz ms", "/metrics ms", "peak MB", "growth MB", "recovery s"),
    )
    rows = [_service_row(service, crowds) for crowds in by_crowd(service)]
    return aligned_table(header, rows)


def polite_table(figures: Figures) -> str:
    """The polite clients and the others of the same crowds, all repetitions together; empty if they
    were not measured."""
    header = ("server", "clients", "attempts", "successes", "per attempt", "s to a success")
    titles = {"polite": "wait for Retry-After", "hammering": "retry at once"}
    rows = []
    for server in measured(figures):
        crowds = [
            crowd
            for measured_round in server["rounds"]
            for crowd in measured_round["crowds"]
            if crowd["groups"]["polite"]["clients"]
        ]
        rows += [
            (server["title"], *_group_cells(crowds, name, title))
            for name, title in titles.items()
            if crowds
        ]
    return aligned_table(header, rows) if rows else ""


def measured(figures: Figures) -> list[Figures]:
    """The servers that could be measured."""
    return [server for server in figures["servers"].values() if server["rounds"]]


def numbers(figures: Figures) -> list[int]:
    """The numbers of connections, ascending, of crowds that retry at once."""
    (first, *_) = measured(figures)
    found = {REFERENCE} | {
        crowd["connections"] for crowd in first["rounds"][0]["crowds"] if crowd["kind"] == PLAIN
    }
    return sorted(found)


def goodputs(server: Figures, connections: int) -> list[float]:
    """The goodput in each repetition."""
    if connections == REFERENCE:
        return [statistics.median(each["references"]) for each in server["rounds"]]
    return [crowd["goodput"] for crowd in _plain(server, connections)]


def tails_s(server: Figures, connections: int) -> list[float]:
    """p99 of the good responses in each repetition, in seconds."""
    same = (
        [each["reference"] for each in server["rounds"]]
        if connections == REFERENCE
        else _plain(server, connections)
    )
    return [crowd["accepted_p99_ms"] / 1000 for crowd in same]


def shares(server: Figures, connections: int) -> list[float]:
    """The goodput in each repetition, divided by that with the reference before and after."""
    return [crowd["goodput"] / crowd["reference"] for crowd in _plain(server, connections)]


def by_crowd(server: Figures) -> Iterator[list[Figures]]:
    """Each crowd with all its repetitions, the reference first."""
    rounds = server["rounds"]
    yield [each["reference"] for each in rounds]
    for same in zip(*(each["crowds"] for each in rounds), strict=True):
        yield list(same)


def _plain(server: Figures, connections: int) -> list[Figures]:
    return [
        crowd
        for measured_round in server["rounds"]
        for crowd in measured_round["crowds"]
        if (crowd["connections"], crowd["kind"]) == (connections, PLAIN)
    ]


def _group_cells(crowds: Sequence[Figures], name: str, title: str) -> tuple[str, ...]:
    groups = [crowd["groups"][name] for crowd in crowds]
    attempts, good = (sum(group[key] for group in groups) for key in ("attempts", "good"))
    client_s = sum(crowd["groups"][name]["clients"] * crowd["window_s"] for crowd in crowds)
    return (
        f"{groups[0]['clients']:,} {title}",
        *(f"{attempts:,}", f"{good:,}"),
        f"{good / attempts:.2f}" if attempts else "",
        f"{client_s / good:.1f}" if good else "never",
    )


def _goodput_cell(server: Figures, connections: int) -> str:
    good = statistics.median(goodputs(server, connections))
    share = 1 if connections == REFERENCE else statistics.median(shares(server, connections))
    return f"{good:.1f} ({share:.2f}), {statistics.median(tails_s(server, connections)):.1f} s"


def _service_row(service: Figures, crowds: Sequence[Figures]) -> tuple[str, ...]:
    def median(value: Any) -> float:
        return float(statistics.median(value(crowd) for crowd in crowds))

    first = crowds[0]
    goodput = median(lambda crowd: crowd["goodput"])
    limits = service["limits"]
    rate = median(lambda crowd: crowd["rate"])
    bound = full_queue_seconds(limits["queue"], limits["threads"], rate)
    refused = median(lambda crowd: crowd["counts"].get("503", 0) / crowd["window_s"])
    recovered = [crowd["recovery_s"] for crowd in crowds]
    slowest = (
        f"{median(lambda crowd, path=path: crowd['probes'][path]['slowest_ms']):.0f}"
        for path in first["probes"]
    )
    share = median(lambda crowd: crowd["goodput"] / crowd.get("reference", crowd["goodput"]))
    tails = [median(lambda crowd, p=p: crowd[f"accepted_{p}_ms"]) / 1000 for p in ("p50", "p99")]
    return (
        title(first),
        f"{goodput:.1f}",
        f"{share:.2f}",
        f"{refused:.0f}",
        f"{tails[0]:.2f} / {tails[1]:.2f}",
        f"{bound:.2f}",
        f"{median(lambda crowd: crowd['refused_p99_ms']) / 1000:.2f}" if refused else "",
        *slowest,
        f"{median(lambda crowd: crowd['memory_peak_mb']):.0f}",
        f"{median(lambda crowd: crowd['memory_growth_mb']):.1f}",
        "never" if None in recovered else f"{max(recovered):.2f}",
    )


def title(crowd: Figures) -> str:
    """The crowd, in a few words."""
    plain = f"{crowd['connections']:,}"
    return plain if crowd["kind"] == PLAIN else f"{plain}, {crowd['kind']}"
