"""Coverage of the intervals in docs/statistics.md, in short, and the document in step."""

import intervals
import numpy as np
import pytest
from convstudy import stats


@pytest.mark.parametrize("accuracies", intervals.ACCURACIES)
@pytest.mark.parametrize("spreads", intervals.SPREADS)
@pytest.mark.parametrize("replicates", intervals.REPLICATES)
def test_one_more_training_lies_in_the_interval(accuracies: str, spreads: str, replicates: int):
    found = intervals.predicted(accuracies, spreads, replicates, 2000)
    assert found["coverage"].min() >= intervals.least(2000)
    assert found["coverage"].mean() <= 0.975


def test_errors_image_by_image_are_covered():
    rng = np.random.default_rng(1)
    images, replicates, number = 1000, 3, 400
    covers = []
    for _ in range(number):
        right = rng.beta(0.8 * 2, 0.2 * 2, (3, images, 1))
        accuracy = (rng.random((3, images, replicates + 1)) < right).mean(axis=1)
        trained, other = accuracy[:, :-1], accuracy[:, -1]
        half = stats.prediction_half_width(
            trained.mean(axis=1), trained.var(axis=1, ddof=1), np.full(3, replicates)
        )
        covers.append(np.abs(trained.mean(axis=1) - other) <= half)
    assert intervals.least(3 * number) <= np.mean(covers) <= 0.975


def test_the_document_has_the_table():
    assert intervals.rendered() == intervals.DOCUMENT.read_text(encoding="utf-8")
    document = intervals.DOCUMENT.read_text(encoding="utf-8")
    public = [name for name in vars(stats) if name.endswith(("interval", "width", "prediction"))]
    assert "mean_interval" in public
    for name in public:
        assert f"`{name}`" in document or name == "t_half_width", name
