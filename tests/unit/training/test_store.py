import pytest
from convstudy.training import store
from helpers.search import PaperCurve, PaperTrainer

EPOCHS = 3


@pytest.fixture
def folder(tmp_path):
    """Return a store with one finished curve and its checkpoint."""
    curve = PaperCurve(tmp_path / "store", ("conv", "conv"), 0)
    list(curve.epochs(EPOCHS))
    assert len(list(curve.folder.glob("*.keras"))) == 1
    return tmp_path / "store"


def test_a_stored_curve_is_listed(folder):
    [row] = store.stored(folder)
    [curve] = folder.glob("*/curve.json")
    assert row["name"] == curve.parent.name
    assert row["epochs"] == EPOCHS
    assert row["test_accuracy_best"] == max(
        PaperTrainer.accuracy(("conv", "conv"), 0, epoch) for epoch in range(1, EPOCHS + 1)
    )
    assert row["bytes"] == sum(path.stat().st_size for path in curve.parent.iterdir())


def test_a_young_curve_is_kept(folder):
    before = sorted(folder.rglob("*"))
    assert store.prune(folder, days=1, checkpoints_only=False) == 0
    assert sorted(folder.rglob("*")) == before


def test_checkpoints_can_go_and_the_records_stay(folder):
    [checkpoint] = folder.glob("*/*.keras")
    size = checkpoint.stat().st_size
    assert store.prune(folder, days=0, checkpoints_only=True) == size
    assert not checkpoint.exists()
    [row] = store.stored(folder)
    assert row["epochs"] == EPOCHS


def test_an_old_curve_goes_as_a_whole(folder):
    [row] = store.stored(folder)
    assert store.prune(folder, days=0, checkpoints_only=False) == row["bytes"]
    assert store.stored(folder) == []


def test_a_damaged_curve_is_listed_as_one_without_epochs(folder, caplog):
    [path] = folder.glob("*/curve.json")
    path.write_text("{")
    [row] = store.stored(folder)
    assert (row["epochs"], row["test_accuracy_best"]) == (0, None)
    assert f"{path} is damaged" in caplog.text
