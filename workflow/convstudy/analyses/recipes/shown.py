"""What the report shows about the recipes."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import table
from convstudy.display.formats import DISTANCE, write
from convstudy.results.run import Results


def _comparable(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Leave out the article's accuracies at another scale, where they are not comparable."""
    columns = ["article", "difference"] if results.reductions else []
    return frame.drop(columns=columns, errors="ignore")


TABLES = {
    "recipes/summary": replace(
        table("Accuracy by recipe", "recipe label replicates* mean interval mean_last* article"),
        prepare=_comparable,
    )
}


def findings(results: Results) -> list[str]:
    """Name the plain recipe that comes closest to the article, if the run can tell."""
    frame = results.table("recipes/summary.csv")
    plain = frame[frame["plain"]]
    if plain.empty or results.synthetic:
        return []
    if results.reductions:
        return ["At this scale, it is impossible to tell which recipe is closest to the article's."]
    first = plain.iloc[0]
    return [
        f"Of the {plain['recipe'].nunique()} recipes without augmentation or label smoothing,"
        f" {first.recipe} comes closest to the article, with a root-mean-square difference of"
        f" {write(first.distance, DISTANCE)} points."
    ]
