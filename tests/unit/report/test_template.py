"""The report's colours, on a light and on a dark screen."""

import re
from pathlib import Path

import pytest
from convstudy.display import style
from convstudy.report import rendering
from helpers.figures import contrast

SHEET = (Path(rendering.TEMPLATE) / "style.css").read_text(encoding="utf-8")
# Text on its background, of which WCAG 2.2 asks 4.5.
TEXTS = [
    ("ink", "paper"),
    ("ink", "wash"),
    ("soft", "paper"),
    ("soft", "wash"),
    ("accent", "paper"),
    ("good", "good-wash"),
    ("bad", "bad-wash"),
    ("open", "open-wash"),
    ("banner", "banner-wash"),
    ("soft", "amber-wash"),
    ("ink", "amber-wash"),
    ("ink", "shadow"),
    ("soft", "shadow"),
]


def colours(scheme: str) -> dict[str, str]:
    """Return the variables of a scheme."""
    light, _, dark = SHEET.partition("prefers-color-scheme: dark")
    found = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    if scheme == "dark":
        rest = dark.partition("\n}\n")[0]
        return {**found, **dict(re.findall(r"--([\w-]+): (#\w+);", rest))}
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "on"), TEXTS, ids="-".join)
def test_text_is_readable(scheme: str, text: str, on: str):
    chosen = colours(scheme)
    assert contrast(chosen[text], chosen[on]) >= 4.5


def test_both_schemes_have_every_colour():
    fixed = {"line"}
    light, dark = colours("light"), colours("dark")
    assert {name for name in light if light[name] == dark[name]} == set()
    assert {*light} - fixed <= {name for pair in TEXTS for name in pair}


def test_marks_of_figures_stand_out_from_white_on_which_they_are_in_both_schemes():
    marks = [*style.KIND_COLOURS, style.INK, style.MUTED, style.WARNING, "#7b8794"]
    assert min(map(contrast, marks)) >= 3
    assert min(map(contrast, [style.INK, style.MUTED, style.WARNING])) >= 4.5
    assert ".chart { --ink: #1f2933; --soft: #52606d; --line: #d9dfe7; --paper: #fff;" in SHEET
