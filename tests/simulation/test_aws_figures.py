import pytest

from local.simulation import aws_figures, service_figures
from local.simulation.aws_facts import FACTS
from local.simulation.aws_figures import Figure
from local.simulation.report import figures_table

FIGURES = aws_figures.figures() | service_figures.figures()


@pytest.mark.parametrize(("name", "figure"), FIGURES.items())
def test_every_figure_states_unit_meaning_source_and_evidence(name: str, figure: Figure) -> None:
    assert figure.value > 0
    assert figure.unit
    assert figure.meaning
    assert figure.source.startswith("https://")
    assert figure.evidence


def test_the_table_shows_every_figure_with_region_and_date() -> None:
    table = figures_table()

    assert "us-east-1, looked up on 2026-11-26" in table
    assert "0.0000166667 USD/GB-s: duration on demand, x86_64\n" in table
    assert "0.0000004 USD: a GET or HEAD of an object of S3 Standard\n" in table
    assert "0.0000000025 USD: an object listed by S3 Inventory\n" in table
    assert "1000 environments: new environments" in table
    assert all(figure.source in table and figure.meaning in table for figure in FIGURES.values())
    assert all(fact.statement in table and fact.source in table for fact in FACTS)


def test_every_fact_states_source_and_evidence() -> None:
    assert all(fact.source.startswith("https://") and fact.evidence for fact in FACTS)
