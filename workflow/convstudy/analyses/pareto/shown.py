"""What the report shows of other penalties."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import Column, table
from convstudy.display.formats import ACCURACY, WHOLE, WHOLE_PERCENT
from convstudy.results.run import Results


def _in_points(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    """Write weights as points; the study's own is for another unit."""
    return frame.assign(weight=(100 * frame["weight"]).where(frame["weight"] > 0))


TABLES = {
    "pareto/penalties": replace(
        table(
            "Best module by what the penalty is on",
            "penalty weight module mean* parameters* probability alike",
            alike=Column("Not told apart", WHOLE),
            weight=Column("Points for the median module", "{0:g}"),
            mean=Column("Test accuracy", ACCURACY),
            probability=Column("Chance to be best", WHOLE_PERCENT),
        ),
        prepare=_in_points,
    )
}
