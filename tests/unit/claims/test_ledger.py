"""Mistakes in a file of claims, and config/claims.yaml against what the article states."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from convstudy.analyses.replay import draws
from convstudy.article import facts
from convstudy.claims import ledger
from convstudy.core.errors import UserError
from helpers.claims import A, B, equality, interval, load, ordering
from helpers.paths import ROOT

FILE = ROOT / "config/claims.yaml"
LISTED = ledger.load(FILE)


def test_every_accuracy_objective_and_count_of_the_article_is_claimed():
    entries = ledger.expanded(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    claimed = {path for entry in entries for path, _ in ledger.figures(entry)}

    def figures(part: Any, path: str = ""):
        pairs = enumerate(part) if isinstance(part, list) else part.items()
        for key, value in pairs:
            where = f"{path}{key}"
            if isinstance(value, (dict, list)):
                yield from figures(value, f"{where}.")
            elif key in ("test_accuracy", "objective", "parameters", "completed", "trials"):
                yield where

    stated = set(figures(facts.load()))
    assert len(stated) > 25
    assert stated <= claimed


def test_whatever_replayed_studies_are_asked_is_claimed():
    assert {claim.id for claim in LISTED if claim.draws} == set(draws.STATEMENTS)


def test_no_figure_of_the_article_stands_in_the_claims_themselves():
    text = FILE.read_text(encoding="utf-8")
    for number in ("87.66", "77.36", "84.33", "88.46", "0.2407", "1,598,730", "58506", "598.5"):
        assert number not in text
    assert "87.66 %" in " ".join(claim.statement for claim in LISTED)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"order": {}}, "claim one: order: unknown key; allowed here are id, topic, statement"),
        (
            {"ordering": {"values": [A, B], "vales": []}},
            "claim one: ordering.vales: unknown key; allowed here are values; did you mean",
        ),
        ({"ordering": None}, "claim one: it has none of equality, tolerance, ordering, interval; "),
        (interval(A, below=2), "claim one: it has ordering and interval; exactly one is allowed"),
        ({"refuted_by": None}, "claim one: refuted_by is missing; required are id"),
        ({"ordering": {}}, "claim one: ordering: values is missing; required are values; add it"),
        (interval(A), "claim one: interval: it has no above or below"),
        ({"ordering": "b"}, "claim one: ordering: 'b', but it must be a section with keys"),
        ({"file": "trials.csv"}, "claim one: file: 'trials.csv', but it must be one of"),
        ({"basis": "guess"}, "claim one: basis: 'guess', but it must be one of arithmetic"),
        ({"id": "Claim 1"}, "claim Claim 1: id: 'Claim 1', but it must be lower-case"),
        (equality(A, {}), "claim one: equality.expected: {}, but it must be a number"),
        ({"each": [{"kind": 1}, {"kind": 2}]}, "claim one: id: this id is used twice"),
        ({"draws": "once"}, "claim one: draws: only conv_wins, "),
        (
            {"each": [{}], "id": "a_$kind"},
            "Ours.claims[0]: it uses $kind, which is missing from its each; add it there",
        ),
        ({"each": [{}], "id": "a $"}, "Ours.claims[0]: it has a $ without a name; write $$"),
        (
            {"statement": "It has {single_kind.conv.weight}."},
            "claim one: single_kind.conv.weight is not a figure of the article; single_kind.conv"
            " has parameters, test_accuracy",
        ),
        ({"statement": "By {source.author:.x}."}, "claim one: statement: invalid format '.x'"),
    ],
)
def test_a_mistake_in_the_claims_is_one_line(tmp_path: Path, keys, line: str):
    with pytest.raises(UserError) as caught:
        load(tmp_path, draws.STATEMENTS, **{**ordering(A, B), **keys})
    head, *lines = str(caught.value).splitlines()
    assert head == f"{tmp_path / 'claims.yaml'} has a mistake:"
    assert len(lines) == 1
    place, _, what = lines[0].strip().partition(": ")
    assert re.fullmatch(rf"{re.escape(str(tmp_path))}/claims.yaml:\d+", place)
    assert what.startswith(line)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a", "it has no topics; "),
        (b"A topic: {}", "A topic: claims is missing; required are claims; add it"),
        (b"- id: [", "is not valid YAML in line 1"),
        (
            b"A:\n  claims: []\nA: {}\n",
            "claims.yaml:3: A: duplicate key, already in line 1; each key",
        ),
        (b"\xff", "is not UTF-8 text"),
        (None, "cannot be read (No such file or directory); check its name"),
    ],
)
def test_a_file_that_lists_no_claims_is_one_line(tmp_path: Path, content, words: str):
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        ledger.load(path)
    assert "\n" not in str(caught.value).partition(":\n")[2]
