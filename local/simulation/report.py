"""The forecast as text."""

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Final

from local.simulation import aws_figures, service_figures
from local.simulation.aws_facts import FACTS
from local.simulation.comparison import Comparison
from local.simulation.month import DAYS, HOURS
from local.simulation.prediction import Prediction, statistics_ms
from local.simulation.pricing import Bill, FunctionConfig

WIDTH: Final = 100
"""of notes"""

_LABEL_WIDTH = 26

_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99_9", "max")


def report(prediction: Prediction, notes: Iterable[str] = ()) -> str:
    """The whole report, ending in a newline."""
    sections = [
        _inputs(prediction),
        _requests(prediction),
        _latencies(prediction),
        _cost(prediction),
        _notes([*notes, *_limits_passed(prediction), month_assumption(prediction)]),
    ]
    sections = [section for section in sections if len(section) > 1]
    return "\n".join("\n".join(section) + "\n" for section in sections)


def figures_table() -> str:
    """Every AWS figure with its source, and facts that are no figures."""
    rows = [
        f"{item.value:.12f}".rstrip("0").rstrip(".") + f" {item.unit}: {item.meaning}\n"
        f"    {item.source}\n"
        f"    {item.evidence}\n"
        for item in (aws_figures.figures() | service_figures.figures()).values()
    ]
    head = (
        f"AWS figures, {aws_figures.REGION}, looked up on {aws_figures.LOOKED_UP} "
        "in stored copies of the pages"
    )
    facts = [f"{fact.statement}\n    {fact.source}\n    {fact.evidence}\n" for fact in FACTS]
    return f"{head}\n\n" + "".join(rows) + "\nWithout a figure\n\n" + "".join(facts)


def comparison_table(rows: Iterable[Comparison]) -> str:
    lines = [_columns("Against the measurement", ["predicted", "measured", "ratio"])]
    for row in rows:
        label = f"{row.quantity}, {row.unit}" if row.unit else row.quantity
        ratio = "-" if row.ratio is None else f"{row.ratio:.3f}"
        lines.append(_columns(f"  {label}", [f"{v:,.1f}" for v in row[2:4]] + [ratio]))
    return "\n".join(lines) + "\n"


def head(prediction: Prediction) -> str:
    """The first lines of a report, without a newline at the end."""
    schedule = prediction.schedule
    offered = schedule.offered_rps
    rate = f", {offered:,.1f} requests/s" if offered else ""
    plan = f"{schedule.description}: {prediction.requests:,} requests{rate}"
    return "\n".join([f"Forecast for AWS Lambda, {aws_figures.REGION}", line("Plan", plan)])


def month_assumption(prediction: Prediction) -> str:
    """What the cost of a month assumes, as a sentence."""
    month = prediction.month
    if month is None:
        return "A month has no cost: all requests are due at once, so the plan has no rate."
    if month.hours_per_day == HOURS:
        repeated = "the plan repeated all day"
    else:
        repeated = f"the plan repeated {month.hours_per_day:g} hours a day, each from a cold start"
    return (
        f"A month ({DAYS:.1f} days) is {repeated}: {month.requests:,.0f} requests; provisioned "
        "environments are kept all the time. List prices without the free tier."
    )


def function_line(function: FunctionConfig) -> str:
    return line(
        "Function",
        f"{function.memory_mb:,} MB ({function.vcpu:.2f} vCPU), {function.architecture}, "
        f"{function.ephemeral_mb:,} MB ephemeral storage",
    )


def _inputs(prediction: Prediction) -> list[str]:
    function, limits = prediction.function, prediction.limits
    kept = f"idle environments kept {limits.idle_seconds / 60:g} min"
    return [
        *head(prediction).splitlines(),
        function_line(function),
        line(
            "Limits",
            f"{limits.concurrency:,} requests at once, {limits.provisioned:,} provisioned, {kept}",
        ),
        line("Warm requests", str(prediction.times.warm)),
        line("Cold requests", str(prediction.times.cold)),
    ]


def _requests(prediction: Prediction) -> list[str]:
    result, provisioned = prediction.result, prediction.limits.provisioned
    causes = {
        "concurrency": result.over_concurrency,
        "request rate": result.over_request_rate,
        "scaling rate": result.over_scaling_rate,
    }
    why = ", ".join(f"{name} {counts.sum():,}" for name, counts in causes.items() if counts.any())
    last = prediction.last_cold_s
    cold = _share(prediction.cold_starts, prediction.answered, "of the answered")
    seconds = prediction.throughput_s
    over = "in which requests were due" if prediction.schedule.span else "until the last response"
    return [
        "Requests",
        line("Answered", _share(prediction.answered, prediction.requests)),
        line("Throttled (429)", _share(prediction.throttled, prediction.requests) + _in(why)),
        line(
            "Cold starts", cold + _in("" if last is None else f"the last at {round(last, 2):g} s")
        ),
        line("Peak concurrency", f"{result.peak_concurrency:,} requests"),
        line("Most environments", f"{result.peak_on_demand + provisioned:,}"),
        line(
            "Throughput",
            f"{prediction.throughput_rps:,.1f} requests/s, answered in the {seconds:,.1f} s {over}",
        ),
    ]


def _latencies(prediction: Prediction) -> list[str]:
    result = prediction.result
    kinds = {
        "all": result.latencies,
        "warm": result.warm_latencies,
        "cold": result.cold_durations,
    }
    rows = [_columns("Latency, ms", [name.replace("_", ".") for name in _STATISTICS], 10)]
    for name, durations in kinds.items():
        statistics = statistics_ms(durations)
        values = [statistics[column] for column in _STATISTICS]
        if len(durations):
            rows.append(_columns(f"  {name}", [f"{value:,.1f}" for value in values], 10))
    return rows


def _cost(prediction: Prediction) -> list[str]:
    bill, function = prediction.bill, prediction.function
    lines = ["Cost, USD"]
    if "compute" in function.services.costs:
        lines.append(money("Requests", bill.requests))
        lines.append(money("Duration", bill.duration, _duration_note(bill)))
    if bill.provisioned:
        lines.append(money("Provisioned concurrency", bill.provisioned))
    if bill.ephemeral:
        lines.append(money("Ephemeral storage", bill.ephemeral))
    if bill.http_api:
        lines.append(money("HTTP API", bill.http_api))
    services = {
        "Logs": bill.logs,
        "Metrics": bill.metrics,
        "S3": bill.s3,
        "Traffic": bill.transfer,
        "Alarms, dashboards": bill.alarms,
    }
    notes = {"Metrics": "the hours that have begun", "Alarms, dashboards": "likewise"}
    lines += [money(name, usd, notes.get(name, "")) for name, usd in services.items() if usd]
    lines.append(money("Total", bill.total))
    if prediction.usd_a_million is not None:
        note = "   without metrics and alarms" if bill.by_the_hour else ""
        lines.append(line("Per million answered", f"{prediction.usd_a_million:12,.2f}{note}"))
    if prediction.month is not None:
        ready = prediction.month.provisioned_usd
        hourly = prediction.month.services_usd
        parts = {"provisioned concurrency": ready, "metrics and alarms": hourly}
        of_it = [f"{usd:,.2f} of it for {name}" for name, usd in parts.items() if usd]
        note = f"   {', '.join(of_it)}" if of_it else ""
        lines.append(line("Per month", f"{prediction.month.usd:12,.2f}{note}"))
    return lines


def _duration_note(bill: Bill) -> str:
    return f"{bill.gb_seconds:,.1f} GB-s; of it cold starts {bill.init:,.6f} USD"


def _notes(notes: Iterable[str]) -> list[str]:
    lines = (fill(note, WIDTH, initial_indent="  - ", subsequent_indent="    ") for note in notes)
    return ["Notes", *lines]


def _limits_passed(prediction: Prediction) -> list[str]:
    """Notes on limits of Lambda that the simulation ignores and this plan exceeds."""
    notes = []
    result = prediction.result
    new, most = int(aws_figures.NEW_ACCOUNT.value), prediction.schedule.most_at_once
    if most > new and prediction.limits.concurrency == aws_figures.CONCURRENCY.value:
        notes.append(
            f"A new account may have a limit of {new} concurrent requests instead of "
            f"{prediction.limits.concurrency:,}: then of {most:,} at once, {most - new:,} are "
            f"throttled (--concurrency-limit {new})."
        )
    cold = result.cold_durations.max(initial=0) / 1000
    slowest = result.latencies.max(initial=0) / 1000
    if cold > aws_figures.INIT_LIMIT.value * 1000:
        notes.append(
            f"A cold start takes {cold:,.0f} ms. Lambda restarts an INIT longer than "
            f"{aws_figures.INIT_LIMIT.value:g} s; the simulation does not."
        )
    if slowest > aws_figures.TIMEOUT_LIMIT.value * 1000:
        notes.append(
            f"A request takes {slowest:,.0f} ms. Lambda ends it after "
            f"{aws_figures.TIMEOUT_LIMIT.value:g} s; the simulation does not."
        )
    elif (
        prediction.function.http_api_kb is not None
        and slowest > aws_figures.HTTP_API_TIMEOUT.value * 1000
    ):
        notes.append(
            f"A request takes {slowest:,.0f} ms. An HTTP API responds with 503 after "
            f"{aws_figures.HTTP_API_TIMEOUT.value:g} s; the simulation does not."
        )
    return notes


def line(label: str, value: str) -> str:
    """A line of a report."""
    return f"  {label:{_LABEL_WIDTH - 2}}{value}"


def _columns(label: str, values: Sequence[str], width: int = 12) -> str:
    return f"{label:{_LABEL_WIDTH}}" + "".join(f"{value:>{width}}" for value in values)


def money(label: str, amount: float, note: str = "", digits: int = 6) -> str:
    """A line of a bill."""
    return line(label, f"{amount:12,.{digits}f}") + (f"   {note}" if note else "")


def _share(part: int, whole: int, of: str = "") -> str:
    share = f"{part / whole:.2%}".replace("%", " %") if whole else "-"
    return f"{part:,} ({share}{' ' + of if of else ''})"


def _in(text: str) -> str:
    return f", {text}" if text else ""
