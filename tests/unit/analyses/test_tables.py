from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from convstudy.analyses.article_study import tables
from convstudy.article import facts
from convstudy.comparison import recorded
from convstudy.core.errors import UserError
from convstudy.core.files import write_csv
from convstudy.core.progress import duration
from convstudy.results.run import Results, result_files, table_names
from helpers.results import STUDIES, with_right, write_sample
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results(write_sample(tmp_path_factory.mktemp("results")))


READ = ("run", "provenance", "data", "verification", "counts", "training", "curves", "studies")
points = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([0.1, 0.2, 0.3, 0.4])), min_size=1, max_size=12
)


@given(points)
def test_the_front_is_what_no_other_trial_beats(drawn: list[tuple[int, float]]):
    trials = pd.DataFrame(drawn, columns=["parameters", "test_accuracy"])
    front = set(map(tuple, tables.pareto_front(trials)[["parameters", "test_accuracy"]].to_numpy()))
    unbeaten = {
        (size, accuracy)
        for size, accuracy in drawn
        if not any(
            other_size <= size
            and other_accuracy >= accuracy
            and (other_size, other_accuracy) != (size, accuracy)
            for other_size, other_accuracy in drawn
        )
    }
    assert front == unbeaten


def test_a_curve_that_several_trials_read_counts_once(results: Results):
    everything = [results.training, *(study.trials for study in results.studies.values())]
    longest: dict[str, float] = {}
    for table in everything:
        for row in table.itertuples():
            longest[row.curve] = max(longest.get(row.curve, 0), row.seconds)
    shown = tables.run(results).set_index("item").loc["Training time", "value"]
    assert shown == duration(sum(longest.values()))
    assert sum(longest.values()) < sum(table["seconds"].sum() for table in everything)


def test_deliberate_mistakes_are_no_part_of_the_largest_error(results: Results):
    table = tables.verification(results).set_index("check")
    mistakes = table.loc["Deliberate mistakes caught by the same comparison"]
    grid = results.verification["grid"]
    assert mistakes[["cases", "passed"]].tolist() == [grid["mutation"].count()] * 2
    assert pd.isna(mistakes["largest_error"])
    assert table["largest_error"].max() < 1e-3 < grid["max_abs_error"].max()


def test_the_seven_printed_counts_are_met(results: Results):
    table = tables.counts(results)
    assert len(table) == 7
    assert (table["difference"] == 0).all()


def test_the_articles_trials_get_the_counts_that_it_prints():
    table = tables.article_best(penalised=True).set_index("module")["parameters"]
    for model, printed in facts.parameter_counts().items():
        if model in table.index:
            assert set(table.loc[[model]]) == {printed}


def test_single_kind_table_has_the_mean_over_replicates(results: Results):
    row = tables.single_kind(results).set_index("kind").loc["conv"]
    mine = results.training.query("kind == 'conv'")["test_accuracy_best"]
    assert row["mean"] == pytest.approx(mine.mean())
    assert row["low"] < row["mean"] < row["high"]
    assert row["difference"] == pytest.approx(row["mean"] - 0.8766)


def test_epochs_of_a_study_add_up_to_its_budget(results: Results):
    table = tables.studies(results).set_index("study")
    for name, study in results.studies.items():
        row = table.loc[name]
        parts = row[["epochs_trained", "epochs_reused", "epochs_saved"]].sum()
        assert parts == len(study.trials) * study.summary["settings"]["epochs"]
        assert row[["completed", "pruned", "failed"]].sum() == row["trials"]


def test_best_trials_stand_beside_the_articles_by_rank(results: Results):
    table = tables.five_best(results, results.studies["penalised"]).set_index("rank")
    assert table.loc[1, "article_module"] == "separable-separable-depthwise"
    assert pd.isna(table.loc[7, "module"])
    assert table["objective"].dropna().is_monotonic_increasing


def test_a_study_without_completed_trials_has_a_table_all_the_same(results: Results):
    study = results.studies["accuracy"]
    table = tables.five_best(results, replace(study, best=study.best.iloc[:0]))
    assert table["module"].isna().all()
    assert table["article_module"].notna().all()


def test_every_printed_accuracy_has_an_objective_that_agrees_with_the_printed_ones(
    results: Results,
):
    table = tables.objectives(results)
    assert len(table.dropna(subset=["test_accuracy"])) == 3 + 5 + 6
    printed = table.dropna(subset=["objective"])
    assert len(printed) == 5
    assert (printed["objective"] - printed["computed"]).abs().max() < 1e-4
    # At the accuracy that it needs, a network scores as the winner does.
    winner = printed["objective"].iloc[0]
    assert (table["computed"] + table["test_accuracy"] - table["needed"]).dropna().tolist() == (
        pytest.approx([winner] * 14)
    )
    assert table["needed"].iloc[-1] == pytest.approx(0.7723, abs=5e-5)


def test_relations_are_those_of_the_articles_numbers(results: Results):
    found = tables.relations(results).set_index("id")["value"]
    # Ranks 2 to 3 and 3 to 4.
    assert found["accuracy_inversions"] == 2
    assert found["parameters_with_macs"] == pytest.approx(1)
    assert 0 < found["parameters_with_rank"] < 1
    assert found[["study_epochs", "grid_epochs"]].tolist() == [5000, 2700]


def test_a_module_ahead_of_all_that_are_no_larger_is_on_the_front(recorded: Path):
    results = Results(recorded)
    contrasts = tables.contrasts(results)
    front = contrasts.query("id == 'front'")
    on_front = set(tables.pareto_front(tables.tried_modules(results))["module"])
    ahead = front.groupby("module")["value"].min()
    # Nothing is as small as the smallest.
    assert on_front - set(ahead.index) == {"depthwise-depthwise-depthwise"}
    assert set(ahead.index[ahead > 0]) == on_front & set(ahead.index)
    parameters = results.table("module_table/table.csv").groupby("module")["parameters"].first()
    for module, rival in front["what"].str.split(" minus ").tolist():
        assert parameters[rival] <= parameters[module]
    first = contrasts.query("id == 'first'")
    assert set(first["module"]) == {"conv-conv-conv"}
    assert len(first) == 26
    assert (contrasts["low"] < contrasts["value"]).all()
    assert (contrasts["value"] < contrasts["high"]).all()


PLACED = {
    "conv-depthwise-depthwise": 0.8,
    "depthwise-conv-depthwise": 0.75,
    "depthwise-depthwise-conv": 0.7,
}
ONE = ("conv-conv-depthwise", "conv-depthwise-conv", "depthwise-conv-conv")


# The place changes 0.1; the number 0.15 in either direction, or 0.05.
@pytest.mark.parametrize(("one", "expected"), [(0.9, -0.05), (0.6, -0.05), (0.8, 0.05)])
def test_place_is_compared_with_number_in_either_direction(recorded: Path, one, expected):
    results = Results(recorded)
    accuracy = {**PLACED, **dict.fromkeys(ONE, one)}
    table = results.table("module_table/table.csv")
    table["test_accuracy_best"] = table["module"].map(accuracy).fillna(0.5)
    path = recorded / "module_table/table.csv"
    before = path.read_text()
    try:
        write_csv(path, with_right(table, 10_000))
        rows = tables.contrasts(results).query("id == 'place_minus_number'")
    finally:
        path.write_text(before)
    assert rows["value"].min() == pytest.approx(expected, abs=1e-3)
    assert len(rows) == 2


def test_without_the_module_table_there_are_no_contrasts(results: Results):
    assert tables.contrasts(results).empty


def test_files_written_are_those_named(results: Results, tmp_path: Path):
    tables.write_tables(results, tmp_path)
    recorded.write_tables(results, tmp_path)
    written = {path.stem for path in tmp_path.iterdir()}
    assert written == set(table_names(STUDIES))


# A sample has just the files that are declared.
@pytest.mark.parametrize("name", result_files(STUDIES))
def test_every_declared_file_is_read_and_named_if_missing(tmp_path: Path, name: str):
    folder = write_sample(tmp_path)
    (folder / name).unlink()
    results = Results(folder)
    with pytest.raises(UserError, match=name):
        [getattr(results, attribute) for attribute in READ]


def test_duplicates_are_told(results: Results):
    def said() -> str:
        return tables.data(results).set_index("item")["value"]["Duplicates"]

    results.data["duplicates"] = {"train": 0, "test": 0, "test_in_train": 0}
    assert said() == "none"
    results.data["duplicates"] = {"train": 12, "test": 3, "test_in_train": 4}
    assert said() == (
        "12 within the training images, 3 within the test images; 4 test images are also training"
        " images"
    )


def test_synthetic_accuracies_stand_beside_nothing(tmp_path: Path):
    results = Results(write_sample(tmp_path / "results", synthetic=True))
    tables.write_tables(results, tmp_path / "tables")
    for path in (tmp_path / "tables").glob("*.csv"):
        columns = pd.read_csv(path).columns
        assert path.stem == "counts" or not any("article" in name for name in columns), path
    # No row for the article's rank 7 either.
    assert pd.read_csv(tmp_path / "tables/best_penalised.csv")["module"].notna().all()
