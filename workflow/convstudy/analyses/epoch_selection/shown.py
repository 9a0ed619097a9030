"""What the report shows about the choice of the epoch."""

from convstudy.display.columns import Column, interval_of, table
from convstudy.display.formats import ACCURACY, POINTS

TABLES = {
    "epoch_selection/summary": table(
        "How much the best test epoch overstates accuracy",
        "selection models* trainings* mean difference interval",
        selection=Column("Epoch", wraps=True),
        mean=Column("Mean test accuracy", ACCURACY),
        difference=Column("Overstated by, points", POINTS),
        interval=interval_of("", POINTS),
    )
}
