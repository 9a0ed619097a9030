"""docs/claims-coverage.md: every sentence of the article, and every claim, once."""

import re

import pytest
from convstudy.claims import ledger
from helpers.paths import ROOT

TEXT = (ROOT / "docs/claims-coverage.md").read_text(encoding="utf-8")
CLAIMS = {claim.id: claim for claim in ledger.load(ROOT / "config/claims.yaml")}
# How many there are in each section of the article, counted once from its text.
COUNTED = {
    "TL;DR": 3,
    "Notation": 8,
    "Conv2D": 7,
    "Several channels": 16,
    "DepthwiseConv2D": 21,
    "SeparableConv2D": 21,
    "Conv2DTranspose": 21,
    "Three layers": 23,
    "Search": 16,
    "By accuracy": 10,
    "With a penalty": 29,
    "Summary": 15,
    "Footnotes": 7,
}
ROW = re.compile(r"^\| (.+) (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = [(key, int(number), about, cell) for key, number, about, cell in ROW.findall(TEXT)]
REASONS = set(re.findall(r"^- \*(.+)\*:", TEXT, re.MULTILINE))


@pytest.mark.parametrize("section", COUNTED)
def test_each_sentence_of_a_section_stands_there_once_and_in_order(section: str):
    found = [number for key, number, *_ in ROWS if key == section]
    assert found == list(range(1, COUNTED[section] + 1))


def test_a_sentence_names_claims_that_there_are_or_a_known_reason():
    assert {key for key, *_ in ROWS} == {*COUNTED, "This project"}
    for key, number, _, cell in ROWS:
        named, reason = re.findall("`([^`]+)`", cell), re.fullmatch(r"\*([^*]+)\*", cell)
        whole = " ".join(f"`{one}`" for one in named)
        assert cell == whole if named else reason and reason[1] in REASONS, (key, number)
        assert set(named) <= set(CLAIMS), (key, number, set(named) - set(CLAIMS))


def test_every_claim_stands_beside_a_sentence_and_the_articles_beside_its_own():
    beside: dict[str, set[str]] = {}
    for key, _, _, cell in ROWS:
        for one in re.findall("`([^`]+)`", cell):
            beside.setdefault(one, set()).add(key)
    assert set(CLAIMS) - set(beside) == set()
    # Only this project's own may stand beside none of the article's sentences.
    strayed = {one for one, keys in beside.items() if keys == {"This project"}}
    assert {CLAIMS[one].source for one in strayed} == {ledger.OWN}


def test_every_reason_is_used():
    assert {cell.strip("*") for *_, cell in ROWS if cell.startswith("*")} == REASONS
