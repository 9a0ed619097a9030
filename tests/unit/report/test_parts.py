"""What the analyses give to the report, by name."""

import re

import pytest
from convstudy.config import analyses
from convstudy.report import parts
from convstudy.report.rendering import SOURCE
from convstudy.report.report import Report

TEXT = SOURCE.read_text(encoding="utf-8")


@pytest.mark.parametrize("made", [[], *([name] for name in analyses.names()), analyses.names()])
def test_every_figure_has_a_caption_and_every_caption_a_figure(made: list[str]):
    assert parts.drawings(made).keys() == analyses.captions(made).keys()


def test_an_analysis_brings_its_own_figures_and_tables():
    of_article = parts.drawings([]).keys() | parts.tables([]).keys()
    seen: set[str] = set()
    for name in analyses.names():
        new = (parts.drawings([name]).keys() | parts.tables([name]).keys()) - of_article
        assert not new & seen
        seen |= new
    every = parts.drawings(analyses.names()).keys() | parts.tables(analyses.names()).keys()
    assert every == of_article | seen


def asked(method: str) -> set[str]:
    """List what the report's cells ask for by name."""
    return set(re.findall(rf'report\.{method}\("([\w/]+)"\)', TEXT))


def test_the_report_shows_every_figure_and_table():
    figures = parts.drawings(analyses.names()).keys()
    elsewhere = {"answer_tradeoff", *(name for name in figures if name.startswith("example_"))}
    assert asked("figure") == figures - elsewhere
    # Shown with what it means, if there are recorded runs.
    assert asked("table") | {"article_scale"} == parts.tables(analyses.names()).keys()


def test_every_finding_is_sentences(recorded):
    names = asked("findings")
    assert names <= set(analyses.names())
    page = Report(recorded)
    for name in names:
        lines = parts.findings(name, page.results)
        assert lines, name
        assert all(line.endswith((".", ":")) for line in lines)
        assert page.findings(name).text.count("<p>") + page.findings(name).text.count(
            "<li>"
        ) == len(lines)
