"""A user's own claims, in a file that the config names."""

from pathlib import Path

import pytest
from convstudy.claims import ledger, verdicts
from convstudy.core.errors import UserError
from helpers.paths import OVERLAY, ROOT
from helpers.results import RECORDED

ARTICLE = ROOT / "config/claims.yaml"
MINE = """
My question:
  file: training/summary.csv
  unit: points
  claims:
    - id: conv_above_half
      statement: Conv2D reaches 45 %.
      interval:
        value:
          select: kind == 'conv'
          column: test_accuracy_best
          reduce: mean
          interval: accuracy
        above: 0.45
      refuted_by: A mean clearly below.
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_own_claims_are_about_the_run_and_decided_at_its_scale(tmp_path: Path):
    claims = ledger.load_all([], [written(tmp_path, MINE)])
    [judged] = verdicts.check(RECORDED, claims, OVERLAY).to_dict("records")
    assert (judged["source"], judged["basis"]) == (ledger.OWN, "run")
    assert judged["verdict"] == "holds"
    assert judged["low"] > 0


def test_own_claims_join_the_articles(tmp_path: Path):
    path = written(tmp_path, MINE)
    both = ledger.load_all([ARTICLE], [path])
    assert len(both) == len(ledger.load(ARTICLE)) + 1
    assert verdicts.check(RECORDED, [], OVERLAY).empty


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("conv_above_half", "accuracy_order", "id: this id is used twice"),
        (
            "      refuted_by",
            "      source: Conv2D\n      refuted_by",
            "source: Conv2D, but your own claims have none; remove it",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, said: str):
    path = written(tmp_path, MINE.replace(old, new))
    with pytest.raises(UserError) as caught:
        ledger.load_all([ARTICLE], [path])
    assert said in str(caught.value)
    assert "mine.yaml:" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        ledger.load_all([], [tmp_path / "nowhere.yaml"])
