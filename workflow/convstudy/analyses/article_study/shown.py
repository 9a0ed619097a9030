"""What the report shows of the article's own study: tables."""

from dataclasses import replace

import pandas as pd

from convstudy.core.progress import duration
from convstudy.display.columns import COLUMNS, Column, interval_of, module, table
from convstudy.display.formats import CHANGE_POINTS, DASH, THIN, WHOLE
from convstudy.layers.networks import ARTICLE
from convstudy.results.run import Results

BEST = table(
    "Best trials of the study “{}”, compared with the article's",
    "rank* module objective parameters* test_accuracy balanced_accuracy* article_module"
    " article_test_accuracy",
    rank=Column("Rank"),
    article_module=Column("Article: layers", html=module),
)


def _completed(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    """Format how many of their trials the article's studies completed."""
    if "article_completed" not in frame:
        return frame
    pairs = zip(frame["article_completed"], frame["article_trials"], strict=True)
    written = [f"{done:.0f} of {of:.0f}" if pd.notna(done) else DASH for done, of in pairs]
    return frame.assign(article_completed=written)


TABLES = {
    "data": table("Data of this run", "item value"),
    "verification": table("Checks of the arithmetic", "check cases passed largest_error"),
    "counts": table(
        "Parameter counts printed in the article, at width 1",
        "model article this_run difference*",
        article=Column("Article", WHOLE),
        difference=Column("Difference", WHOLE),
    ),
    "single_kind": table(
        "Test accuracy of the single-kind networks, mean over replicates",
        "label parameters* mean interval balanced_accuracy* mean_last* article difference*",
    ),
    "studies": replace(
        table(
            "Trials started, completed and pruned",
            "study trials completed pruned* epochs_trained* epochs_saved* article_completed",
        ),
        prepare=_completed,
    ),
    "article_scale": replace(
        table(
            "Recorded at the article's scale: full width, all images, 100 epochs",
            "run label article* mean* difference difference_interval mean_last* flattery*"
            " replicates* images* precision* device* took",
            label=Column("Network"),
            difference_interval=interval_of(
                "difference", CHANGE_POINTS, f"95{THIN}% range of one training"
            ),
            flattery=Column("Choosing the epoch adds", CHANGE_POINTS),
            replicates=COLUMNS["trainings"],
            images=Column("Images"),
            precision=Column("Precision"),
            device=Column("Trained on", wraps=True),
            took=Column("Each took"),
        ),
        prepare=lambda frame, _: frame.assign(took=frame["seconds"].map(duration)),
    ),
    "runs": table(
        "The article, recorded runs and this run: test accuracy",
        f"run device* width* epochs* {' '.join(ARTICLE.kinds)}",
    ),
    "versions": table("Software versions", "package version"),
}
