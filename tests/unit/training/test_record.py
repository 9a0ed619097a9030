from convstudy.training import record


def test_a_curve_that_moved_names_its_processors():
    records = [
        {"device": "cpu", "processor": "one, AMX"},
        {"device": "cpu", "processor": "another, AVX2"},
    ]
    assert record.devices(records) == "cpu (one, AMX), then cpu (another, AVX2)"
    assert record.devices(records[:1] * 2) == "cpu"
    # Older records do not name the processor.
    assert record.devices([{"device": "cpu"}]) == "cpu"


def test_variables_that_may_change_numbers_are_named():
    plain = {"device": "cpu", "processor": "one"}
    flagged = {**plain, "variables": {"XLA_FLAGS": "--fast", "TF_XLA_FLAGS": "--jit"}}
    named = "cpu (XLA_FLAGS=--fast, TF_XLA_FLAGS=--jit)"
    assert record.devices([flagged, flagged]) == named
    assert record.devices([plain, flagged]) == f"cpu, then {named}"
    moved = record.devices([{**plain, "processor": "another"}, flagged])
    assert moved == "cpu (another), then cpu (one, XLA_FLAGS=--fast, TF_XLA_FLAGS=--jit)"


def test_summary_names_the_best_epoch():
    base = {"train_accuracy": 0.5, "seconds": 2.0, "images_per_second": 10.0}
    records = [{**base, "test_accuracy": accuracy} for accuracy in (0.2, 0.6, 0.4)]
    summary = record.summarise(records)
    assert (summary["test_accuracy_best"], summary["best_epoch"]) == (0.6, 2)
    assert summary["test_accuracy_last"] == 0.4
    assert summary["seconds"] == 6.0
    assert record.summarise([])["test_accuracy_best"] is None
