"""What the report shows about other penalties."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import Column, table
from convstudy.display.formats import ACCURACY, WHOLE, WHOLE_PERCENT
from convstudy.results.run import Results


def _in_points(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    """Convert weights to points, since the study's own weight has another unit."""
    return frame.assign(weight=(100 * frame["weight"]).where(frame["weight"] > 0))


TABLES = {
    "pareto/penalties": replace(
        table(
            "Best module for each kind of penalty",
            "penalty weight module mean* parameters* probability alike",
            alike=Column("Others tied with it", WHOLE),
            weight=Column("Points for the median module", "{0:g}"),
            mean=Column("Test accuracy", ACCURACY),
            probability=Column("Chance of being best", WHOLE_PERCENT),
        ),
        prepare=_in_points,
    )
}
