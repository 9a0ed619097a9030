"""What the report shows of the recipes."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import table
from convstudy.display.formats import DISTANCE, write
from convstudy.results.run import Results


def _comparable(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Leave the article's accuracies out at another scale, where they compare with nothing."""
    theirs = ["article", "difference"] if results.reductions else []
    return frame.drop(columns=theirs, errors="ignore")


TABLES = {
    "recipes/summary": replace(
        table("Accuracy by recipe", "recipe label replicates* mean interval mean_last* article"),
        prepare=_comparable,
    )
}


def findings(results: Results) -> list[str]:
    """Say which of the plain recipes comes closest to the article, if one can."""
    frame = results.table("recipes/summary.csv")
    plain = frame[frame["plain"]]
    if plain.empty or results.synthetic:
        return []
    if results.reductions:
        return ["At this scale, one cannot tell which recipe is the article's."]
    first = plain.iloc[0]
    return [
        f"Of the {plain['recipe'].nunique()} recipes without augmentation and label smoothing,"
        f" {first.recipe} comes closest, with a distance of {write(first.distance, DISTANCE)}"
        " points."
    ]
