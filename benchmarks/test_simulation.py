import pandas as pd
import pytest
from convstudy.search.export import export
from helpers.search import EPOCHS, PENALTY, SETTINGS, PaperTrainer, search
from simulation import Clock, Costs, Lock, World, replayed, simulate

NOTHING = Costs(start=0, set_up=0, epoch=10, report=0, claim=0)


def accuracies(kinds, replicate):
    return [PaperTrainer.accuracy(kinds, replicate, epoch + 1) for epoch in range(EPOCHS)]


def run(workers=1, costs=NOTHING, factor=lambda kinds: 1.0, **changes):
    world = World(costs, accuracies, factor)
    return simulate({**SETTINGS, "penalty": PENALTY, **changes}, EPOCHS, workers, world)


def test_one_worker_does_what_the_real_search_does(tmp_path):
    study = search(tmp_path, penalty=PENALTY)
    study.run_worker()
    trials, _, summary = export(study)
    result = run()
    assert result["epochs"] == summary["epochs_trained"]
    assert result["trials"] == summary["trials"]
    assert result["best"] == pytest.approx(trials["objective"].min(), abs=1e-12)
    assert result["hours"] * 3600 == pytest.approx(10 * summary["epochs_trained"])
    assert result["training"] == pytest.approx(1)


def test_many_workers_are_faster_and_exact_and_the_same_each_time():
    one, many = run(trials=60), run(12, trials=60)
    assert many == run(12, trials=60)
    assert many["trials"] == 60
    assert many["hours"] < one["hours"] / 4
    assert many["hours"] * 12 * 3600 >= 10 * many["epochs"]


def test_costs_are_paid():
    free = run()
    dear = run(costs=Costs(start=100, set_up=7, epoch=10, report=3, claim=1))
    # There are 14 claims for the budget, one in vain, and one to open the study.
    added = 100 + 3 * free["epochs"] + 1 * 16
    set_ups = (dear["hours"] - free["hours"]) * 3600 - added
    assert set_ups % 7 == pytest.approx(0, abs=1e-6) or set_ups % 7 == pytest.approx(7)
    assert 0 < set_ups <= 14 * 7


def test_claims_take_turns():
    slow = Costs(start=0, set_up=0, epoch=0.001, report=0, claim=60)
    result = run(10, costs=slow, trials=30)
    assert result["hours"] * 3600 >= 30 * 60
    assert result["claiming"] > 0.8


def test_a_lock_is_first_come_first_served():
    clock = Clock()
    lock = Lock(clock)
    order = []

    def work(name, arrives):
        def one():
            clock.sleep(arrives)
            with lock.held():
                order.append((name, clock.now))
                clock.sleep(5)

        return one

    clock.run([work("late", 2), work("early", 1), work("middle", 1.5)])
    assert order == [("early", 1), ("middle", 6), ("late", 11)]
    assert lock.seconds_waited == pytest.approx(4.5 + 9)


def test_an_error_in_a_worker_comes_out():
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Clock().run([fail])


def test_recorded_curves_are_stretched_and_lent():
    rows = [
        {"layer1": "conv", "layer2": kind, "layer3": "conv", "replicate": 0}
        | {"epoch": epoch, "test_accuracy": value}
        for kind, values in (("conv", (0.2, 0.4, 0.6)), ("separable", (0.1, 0.3)))
        for epoch, value in enumerate(values, 1)
    ]
    give = replayed(pd.DataFrame(rows), 5)
    assert list(give(("conv",) * 3, 0)) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    # Pruned curves are not used; every other module gets the complete one.
    assert list(give(("separable",) * 4, 3)) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
