"""The forecast of a job of S3 Batch Operations as text."""

from collections.abc import Iterable, Sequence
from textwrap import fill

from local.common.markdown import aligned_table
from local.simulation import aws_figures
from local.simulation import service_figures as prices
from local.simulation.batch import BatchForecast, BatchPlan
from local.simulation.report import WIDTH, function_line, line, money

ASSUMPTIONS = (
    "As many invocations are in flight as the concurrency, from the start; AWS does not document "
    "how S3 Batch Operations scales. Set it as the function's reserved concurrency.",
    "An invocation is billed while it waits for S3: with less memory the same wait costs less.",
    "Without the time in which S3 prepares the job. List prices without the free tier.",
)


def batch_report(forecast: BatchForecast, notes: Iterable[str] = ()) -> str:
    """The whole report, ending in a newline."""
    plan, simulated = forecast.plan, forecast.simulated
    lines = [
        *_head(plan),
        function_line(forecast.function),
        line("Warm invocations", str(forecast.times.warm)),
        line("Cold invocations", str(forecast.times.cold)),
        "",
        "Time",
        line("By arithmetic", f"{duration(forecast.seconds)}, limited by the {forecast.limit}"),
    ]
    if simulated is not None:
        throttled = ", with throttled calls" if simulated.throttled else ""
        lines.append(line("By simulation", duration(simulated.end / 1e6) + throttled))
    lines += [
        line("Objects a second", f"{forecast.objects_per_second:,.0f}"),
        "",
        "Cost, USD",
        *(money(each.label, each.usd, each.note, 2) for each in forecast.lines),
        money("Total", forecast.usd, digits=2),
        money("Per million objects", forecast.usd_a_million, digits=2),
        "",
        "Notes",
        *_notes([*notes, *_warnings(forecast), *ASSUMPTIONS]),
    ]
    return "\n".join(lines) + "\n"


def batch_table(rows: Sequence[BatchForecast]) -> str:
    """A row for each memory size and architecture, ending in a newline. At least one row."""
    header = ("memory MB", "architecture", "time", "objects/s", "Lambda USD", "other USD", "USD")
    cells = []
    for row in rows:
        compute = sum(each.usd for each in row.lines if each.part == "compute")
        cells.append(
            [
                f"{row.function.memory_mb:,}",
                row.function.architecture,
                duration(row.seconds),
                f"{row.objects_per_second:,.0f}",
                f"{compute:,.2f}",
                f"{row.usd - compute:,.2f}",
                f"{row.usd:,.2f}",
            ]
        )
    texts = "\n".join(_notes(ASSUMPTIONS))
    return "\n".join([*_head(rows[0].plan), "", aligned_table(header, cells), "", texts]) + "\n"


def duration(seconds: float) -> str:
    """In the two largest units, such as "19 min 15 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def _head(plan: BatchPlan) -> list[str]:
    again = f", {plan.retry_rate:.2%} run again".replace("%", " %") if plan.retry_rate else ""
    return [
        f"Forecast for S3 Batch Operations with AWS Lambda, {aws_figures.REGION}",
        line("Plan", f"{plan.objects:,} objects, {plan.concurrency:,} at once{again}"),
    ]


def _warnings(forecast: BatchForecast) -> list[str]:
    notes = []
    reads = forecast.plan.invocations / forecast.seconds
    if reads > prices.S3_REQUEST_RATE.value:
        notes.append(
            f"S3 reads {reads:,.0f} photos a second. It serves "
            f"{prices.S3_REQUEST_RATE.value:,.0f} for each prefix before it has to scale: expect "
            "503s and retries, or spread the photos over several prefixes."
        )
    if forecast.limit == "request rate":
        notes.append(
            f"Lambda accepts {aws_figures.REQUEST_RATE.value:g} requests a second for each unit of "
            "concurrency: with invocations this short, only more concurrency makes the job faster."
        )
    return notes


def _notes(notes: Iterable[str]) -> list[str]:
    return [fill(note, WIDTH, initial_indent="  - ", subsequent_indent="    ") for note in notes]
