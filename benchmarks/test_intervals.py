"""Short measurements of the coverage in docs/statistics.md; the document is up to date."""

import re
from itertools import product

import intervals
import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.depth import numbers as depth
from convstudy.analyses.epoch_selection import numbers as epoch_selection
from convstudy.analyses.module_table import numbers as module_table
from convstudy.analyses.penalties import numbers as penalties
from convstudy.analyses.replay import contrasts
from convstudy.analyses.timing import numbers as timing
from convstudy.config import analyses
from convstudy.report import parts
from convstudy.results import accuracies
from convstudy.stats import intervals as stats

RUNS = 300
SHORT = {
    "prediction": lambda: intervals.prediction(2000),
    "crossed": lambda: intervals.crossed(RUNS, (3,), images=400),
    "independent": lambda: intervals.independent(RUNS),
    "ranks": lambda: intervals.best_of_many(
        RUNS, list(product([("two near the best", 1.0), ("ties", 1.5)], [3]))
    ),
    "changes": lambda: intervals.changes(100, (3,), draws=50),
    "choosing": lambda: intervals.choosing(60, (3,), splits=4),
    "crossovers": lambda: intervals.crossovers(2000),
    "alarms": lambda: intervals.alarms(60),
    "depths": lambda: intervals.depths(100, (3,)),
}
# Intervals for many quantities at once, or from few replicates, may cover too much.
CAUTIOUS = (
    *("ranks", "not told apart", "channels", "layers", "time, of one", "difference", "ratio"),
    "nothing looks different",
)
RECORDED = intervals.ROOT / "results/reference/cpu-small"
DOCUMENT = intervals.DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHORT)
def test_intervals_cover_what_they_speak_of(name: str):
    table = pd.DataFrame(list(SHORT[name]()))
    for row in table.itertuples():
        assert row.coverage >= intervals.least(row.runs), row
    for interval, part in table.groupby("interval"):
        if not interval.startswith(CAUTIOUS) or "accuracies" in interval:
            # Allow for two standard errors of the mean over worlds.
            error = 2 * np.sqrt(0.025 / part["runs"].sum())
            assert part["coverage"].mean() <= 0.975 + error, interval


def test_the_chance_to_be_the_best_is_as_said():
    for row in intervals.chances(600, (3,), draws=300):
        assert row["coverage"] == pytest.approx(row["width"], abs=0.05)


def test_the_recorded_coverage_is_enough():
    table = pd.read_csv(intervals.TABLE)
    assert list(table["measure"].unique()) == list(intervals.MEASURES)
    chances = table[table["measure"] == "chances"]
    assert (chances["coverage"] - chances["width"]).abs().max() < 0.03
    others = table[table["measure"] != "chances"]
    assert (others["coverage"] >= others["runs"].map(intervals.least)).all()


def test_the_document_has_the_table():
    assert intervals.rendered() == DOCUMENT


def test_the_document_says_how_every_interval_of_the_report_is_made():
    listed = set(re.findall(r"^\| `([\w/]+)` \| `(\w+)` \|", DOCUMENT, re.MULTILINE))
    printed = {
        (name, column)
        for name, table in parts.tables(analyses.names()).items()
        for column in table.columns
        if column.endswith(("interval", "_low")) or column in ("ranks", "between")
    }
    assert printed <= listed
    # The others are only in results.
    for name, column in listed - printed:
        ends = column.removesuffix("interval") + "low"
        assert ends in pd.read_csv(RECORDED / f"{name}.csv", nrows=1), (name, column)
    rooms = (accuracies, contrasts, depth, module_table, epoch_selection, penalties, stats, timing)
    known = {name for part in rooms for name in vars(part)}
    made_by = set(re.findall(r"`(\w+)` \|$", DOCUMENT, re.MULTILINE))
    assert made_by <= known
    public = {
        name
        for name, one in vars(stats).items()
        if getattr(one, "__module__", "") == stats.__name__
    }
    assert {name for name in public if f"`{name}`" not in DOCUMENT} == set()
