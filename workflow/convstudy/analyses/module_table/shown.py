"""What the report shows of the module table."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import Column, interval_of, table
from convstudy.display.formats import THIN, THREE, WHOLE, WHOLE_PERCENT
from convstudy.results.accuracies import module_names
from convstudy.results.run import SUMMARY, Results

# The article lists as many of the best.
FIVE = 5


def _with_front(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Add latency and the chance of being on the front, if known."""
    if "pareto" not in results.analyses:
        return frame
    front = results.table("pareto/front.csv")[["module", "latency_ms", "probability"]]
    return frame.merge(front, on="module", how="left")


TABLES = {
    "module_table/summary": replace(
        table(
            "All modules by mean test accuracy over replicates",
            "module mean interval balanced_accuracy* ranks parameters latency_ms* probability*",
            ranks=interval_of("rank", WHOLE, f"Rank, 95{THIN}%"),
            latency_ms=Column("Latency, ms", THREE),
            probability=Column("On the front", WHOLE_PERCENT),
        ),
        prepare=_with_front,
    )
}


def findings(results: Results) -> list[str]:
    """List modules that may be the best but were pruned in every trial of a study."""
    summary = results.table(SUMMARY).set_index("module")
    lines = []
    for name, study in results.studies.items():
        trials = study.trials.assign(module=module_names(study.trials))
        stopped = trials[~trials["module"].isin(study.completed.pipe(module_names))]
        for drawn, mine in stopped[stopped["state"] == "PRUNED"].groupby("module"):
            row = summary.loc[drawn]
            if row["rank"] <= FIVE and row["rank_low"] == 1:
                times = f"{len(mine)} times" if len(mine) > 1 else "once"
                lines.append(
                    f"The study “{name}” drew {drawn.replace('-', ' · ')} {times} and pruned"
                    f" it after {_range(mine['epochs'])}; over replicates it is among the"
                    f" {FIVE} best by accuracy (rank {row['rank']:.0f}, 95 % interval"
                    f" {row['rank_low']:.0f} to {row['rank_high']:.0f})."
                )
    return ["Good modules that were pruned:", *lines] if lines else []


def _range(epochs: pd.Series) -> str:
    """Write numbers of epochs as one number or a range."""
    least, most = int(epochs.min()), int(epochs.max())
    if least < most:
        return f"{least} to {most} epochs"
    return "1 epoch" if most == 1 else f"{most} epochs"
