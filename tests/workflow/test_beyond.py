"""All analyses, on a tiny configuration."""

import re

import pandas as pd
import pytest
from convstudy.analyses.replay import contrasts, studies
from convstudy.config import analyses, settings
from convstudy.config.settings import recipe_training
from convstudy.core.files import read_sealed, write_csv
from convstudy.data.dataset import load_arrays
from convstudy.layers.networks import ARTICLE
from convstudy.results import reference_runs
from convstudy.results.run import Results
from convstudy.training.curve import Curve
from convstudy.training.record import load_description
from convstudy.training.settings import of_modules
from helpers import curves
from helpers.pipeline import Project
from helpers.results import RECORDED

TINY = {
    "data": {"validation_images": 50},
    "search": {"training": {"batch_size": 25}},
    "module_table": {"epochs": 2, "replicates": 1},
    "replay": {"studies": 2, "trials": 6, "tables": 3},
    "timing": {
        "processes": 1,
        "repeats": 3,
        "batch_size": 8,
        "training_steps": 1,
        "layers": {"channels": [2, 8], "sizes": [4, 8], "batch_size": 2},
    },
    "depth": {"epochs": 1, "replicates": 1, "most_layers": 2},
    "pareto": {"studies": 2, "trials": 6},
    "recipes": {"epochs": 2, "compared": {"rmsprop": None}},
}


TIMES = "timing/processes/modules_0.csv"
# The design that Snakemake replays.
REPLAYED = "accuracy-tpe_optuna_0_5-none-article"
EVERY = {**TINY, "analyses": analyses.names()}


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """Run everything, with all analyses."""
    project = Project(root, tmp_path_factory.mktemp("beyond"))
    project.lay_verification()
    project.succeed("results/data/summary.json", **EVERY)
    lay_curves(project)
    lay_times(project)
    project.succeed("results/module_table/curves.csv", **EVERY)
    replay(project)
    project.succeed(**EVERY)
    return project


# What jobs train; stacks of two layers and the recipe adam are the single-kind networks.
TRAINED = {
    "module_table/trainings/depthwise-separable-conv_0.json",
    "depth/trainings/1/separable_0.json",
    "depth/trainings/2/conv_0.json",
    "recipes/trainings/adam/conv_0.json",
    "recipes/trainings/sgd/depthwise_0.json",
}


def lay_curves(project):
    """Lay all other curves and trainings, as networks and jobs take seconds each."""
    config = settings.read([project.folder / name for name in ("config/config.yaml", "tiny.yaml")])
    results = project.folder / "results"
    dataset, store = load_arrays(results / "data"), results / ".state/curves"
    kinds, recipes = ARTICLE.kinds, config["recipes"]["compared"]
    planned = [("module_table", "", of_modules(config), ARTICLE.modules())]
    for layers in range(1, config["depth"]["most_layers"] + 1):
        stacks = {kind: (kind,) * layers for kind in kinds}
        planned.append(("depth", f"{layers}/", config["training"], stacks))
    for name in recipes:
        single = ARTICLE.single_kind()
        planned.append(("recipes", f"{name}/", recipe_training(config, name), single))
    for part, folder, training, networks in planned:
        epochs = config[part]["epochs"]
        for model, layers in networks.items():
            made = f"{part}/trainings/{folder}{model}_0.json"
            if made not in TRAINED:
                curve = Curve(store, layers, 0, config["model"], training, epochs, dataset)
                curves.lay(curve, epochs, part)
                curve.export(results / made, model, epochs)


def lay_times(project):
    """Lay recorded times of the modules, as if the job had measured them, which takes minutes."""
    times = recorded_times()
    write_csv(project.folder / "results" / TIMES, times)
    project.succeed(f"results/{TIMES}", "--touch", "--force", **EVERY)


def recorded_times():
    """Return the recorded run's times of the modules as one process measures them."""
    table = RECORDED.table("timing/modules.csv")
    return table[[name for name in table if not re.search("_(low|high)$|^(processes|dof)$", name)]]


def replay(project):
    """Replay all designs but one in this process, as 44 jobs take minutes."""
    config = settings.read([project.folder / name for name in ("config/config.yaml", "tiny.yaml")])
    recorded = studies.read_curves(project.table("module_table/curves.csv"))
    for name, design in studies.designs().items():
        if name != REPLAYED:
            path = project.folder / f"results/replay/trials/{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            replayed = studies.replay(
                design, recorded, settings.penalty(config), studies=2, trials=6, seed=0
            )
            write_csv(path, replayed)
            if name in contrasts.designs():
                again = project.folder / f"results/replay/resampled/{name}.csv"
                again.parent.mkdir(parents=True, exist_ok=True)
                write_csv(again, pd.concat([replayed.assign(table=table) for table in range(3)]))


def test_laid_curves_have_what_trained_ones_have(project):
    store = project.folder / "results/.state/curves"
    # The studies train a module that they try again with another seed.
    states = [read_sealed(path) for path in store.glob("*_seed0_*/curve.json")]
    # Jobs that need other curves than those laid would have trained more.
    assert sum(state["checkpoint"] is not None for state in states) == len(TRAINED) - 1
    assert len({frozenset(state) for state in states}) == 1
    assert len({frozenset(one) for state in states for one in state["records"]}) == 1


def test_modules_are_measured_in_a_job(root, tmp_path):
    project = Project(root, tmp_path)
    # Few networks, which are quick to be built.
    model = {"kinds": {"depthwise": None}, "module_layers": 2}
    model["stages"] = [{"channels": 64, "layers": 1, "pooling": 4}]
    project.succeed(f"results/{TIMES}", **{**TINY, "model": model})
    table = project.table(TIMES)
    assert len(table) == 4
    assert table[["latency_ms", "fps", "epoch_seconds"]].gt(0).all(axis=None)
    assert list(table) == list(recorded_times().drop(columns="layer3"))


def test_the_table_has_every_module(project):
    table = project.table("module_table/table.csv")
    assert len(table) == table["module"].nunique() == 27
    assert table["test_accuracy_validated"].notna().all()
    assert len(project.table("module_table/curves.csv")) == 2 * 27


def test_studies_and_table_share_a_recipe_and_single_kinds_keep_theirs(project):
    def batches(files):
        found = (project.folder / "results").glob(files)
        described = [load_description(str(path)) for path in found]
        return {one["identity"]["training"]["batch_size"] for one in described}

    assert batches("training/curves/*.json") == {50}
    assert batches("recipes/trainings/adam/*.json") == {50}
    assert batches("module_table/trainings/*.json") == {25}
    assert "batches of 25" in (project.folder / "results/module_table/README.md").read_text()
    for study in ("accuracy", "penalised"):
        trials = project.table(f"search/{study}/trials.csv").query("replicate == 0")
        assert set(trials["curve"]) <= set(project.table("module_table/table.csv")["curve"])


def test_another_recipe_of_the_studies_leaves_single_kinds_alone(project):
    planned = project.jobs(**{**EVERY, "search": {"training": {"batch_size": 20}}})
    assert {"search_modules", "train_module", "tabulate_modules", "measure_modules"} <= planned
    assert not planned & {"train_model", "train_recipe", "measure_layers"}


def page(project):
    return (project.folder / "reports/report.html").read_text()


def missing(text):
    """List the analyses that a report says were not made."""
    return [name for name in analyses.names() if f"Add <code>{name}</code> to" in text]


def test_what_the_config_lists_is_made_and_shown(project):
    text = page(project)
    for name in analyses.names():
        assert list((project.folder / "results" / name).glob("*.csv")), name
    assert missing(text) == []
    for figure in analyses.captions(analyses.names()):
        assert f"results/figures/{figure}.svg" in text
    claims = project.table("claims.csv")
    assert not claims["evidence"].str.contains("Not run yet").any()


def test_all_is_made_then(project):
    assert "Nothing to be done" in project.succeed(**EVERY)


def test_images_that_are_made_again_cost_no_measurement_and_no_replay(project):
    again = project.jobs("--forcerun", "prepare_dataset", **EVERY)
    assert {"train_model", "replay_design"} <= again
    assert not again & {"measure_modules", "measure_layers", "measure_times"}
    trials = f"results/replay/trials/{REPLAYED}.csv"
    before = (project.folder / trials).read_text()
    said = project.succeed(trials, "--force", **EVERY)
    assert "replayed before: read from results/.state/replays/" in said
    assert (project.folder / trials).read_text() == before


def test_an_analysis_that_is_not_listed_is_neither_shown_nor_made(project):
    left = {**EVERY, "analyses": ["module_table", "penalties"]}
    table = project.folder / "results/replay/summary.csv"
    before = table.stat().st_mtime_ns
    planned = project.jobs(**left)
    assert {"record_run", "plot_figures", "render_report"} <= planned
    assert not planned & {"replay_design", "replay_searches", "measure_modules", "train_module"}
    project.succeed(**left)
    assert table.stat().st_mtime_ns == before
    text = page(project)
    assert missing(text) == [name for name in analyses.names() if name not in left["analyses"]]
    assert "results/figures/penalties_winner.svg" in text
    assert "results/figures/replay_epochs.svg" not in text
    claims = project.table("claims.csv").set_index("id")
    [evidence] = claims.loc[["penalty_in_pruning"], "evidence"]
    assert evidence == "Not run yet: add replay to analyses in the config"
    # Listed again, it will be shown again without being remade.
    planned = project.jobs(**EVERY)
    assert "render_report" in planned
    assert not planned & {"replay_design", "replay_searches"}


def test_an_analysis_without_what_it_is_made_of_is_refused(project):
    code, output = project.run(**{**EVERY, "analyses": ["penalties"]})
    assert code != 0
    assert "analyses[0]: penalties needs module_table; add module_table" in output
    assert "Traceback" not in output
    assert "rule " not in output


def test_a_recorded_run_joins_the_report_and_is_not_made_anew(project):
    results = Results(project.folder / "results")
    # The copy under test is not in a repository.
    results.provenance.update(commit="0" * 40, dirty=False)
    folder = project.folder / "results/reference/mine"
    reference_runs.record(results, folder)
    assert not Results(folder).partial
    written = {path: path.read_bytes() for path in folder.rglob("*.*")}
    output = project.succeed(**EVERY)
    assert missing(page(project)) == []
    assert "Cyclic" not in output
    assert project.table("tables/runs.csv")["run"].tolist() == ["The article", "mine", "This run"]
    assert written == {path: path.read_bytes() for path in folder.rglob("*.*")}
    output = project.succeed(**EVERY)
    assert "Nothing to be done" in output
