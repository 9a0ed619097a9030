"""The parts beyond the article, made one after another on a tiny configuration."""

import pytest
from convstudy.config import settings
from convstudy.config.analyses import EXTRAS
from convstudy.data.dataset import load_arrays
from convstudy.layers import models
from convstudy.results import reference_runs
from convstudy.results.run import Results
from convstudy.training.curve import Curve
from helpers.pipeline import Project

TINY = {
    "data": {"validation_images": 50},
    "module_table": {"epochs": 2, "replicates": 1},
    "replay": {"studies": 2, "trials": 6},
    "timing": {
        "processes": 1,
        "repeats": 3,
        "batch_size": 8,
        "training_steps": 1,
        "layers": {"channels": [2, 8], "sizes": [4, 8], "batch_size": 2},
    },
    "pareto": {"studies": 2, "trials": 6},
    "recipes": {"epochs": 2, "compared": {"adam": {}, "sgd": {"optimizer": {"name": "sgd"}}}},
}


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """Run everything, then the extras, then the report with them."""
    project = Project(root, tmp_path_factory.mktemp("extras"))
    project.succeed(**TINY)
    train_modules(project)
    for targets in ([extra.target for extra in EXTRAS.values()], []):
        project.succeed(*targets, **TINY)
    return project


def train_modules(project):
    """Train all modules in this process; 27 jobs that each load TensorFlow take minutes."""
    config = settings.read([project.folder / name for name in ("config/config.yaml", "tiny.yaml")])
    dataset = load_arrays(project.folder / "results/data")
    store, epochs = project.folder / "results/.state/curves", config["module_table"]["epochs"]
    for kinds in models.modules().values():
        curve = Curve(store, kinds, 0, config["model"], config["training"], epochs, dataset)
        curve.train(epochs, "module_table")


def test_the_table_has_every_module(project):
    table = project.table("module_table/table.csv")
    assert len(table) == table["module"].nunique() == 27
    assert table["test_accuracy_validated"].notna().all()
    assert len(project.table("module_table/curves.csv")) == 2 * 27


def test_the_report_shows_what_was_made(project):
    report = (project.folder / "reports/report.html").read_text()
    for extra in EXTRAS.values():
        # What is not made is named with its command.
        assert f"<code>snakemake --cores all {extra.target}</code>" not in report, extra.name
        for figure in extra.figures:
            assert f"results/figures/{figure}.svg" in report


def test_all_is_made_then(project):
    targets = [extra.target for extra in EXTRAS.values()]
    assert "Nothing to be done" in project.succeed("all", *targets, **TINY)


def test_other_settings_leave_an_extra_out_and_say_so(project):
    settings = {**TINY, "module_table": {"epochs": 1, "replicates": 1}}
    output = project.succeed("--dry-run", **settings)
    assert "train_module" not in output
    output = project.succeed(**settings)
    assert "results/module_table is of other settings" in output
    assert "snakemake --cores all tabulate_modules" in output
    report = (project.folder / "reports/report.html").read_text()
    assert "<code>snakemake --cores all tabulate_modules</code> trains all 27" in report
    assert "<code>snakemake --cores all compare_recipes</code>" not in report


def test_a_recorded_run_joins_the_report_and_is_not_made_anew(project):
    results = Results(project.folder / "results")
    # The copy under test is in no repository.
    results.provenance.update(commit="0" * 40, dirty=False)
    folder = project.folder / "results/reference/mine"
    reference_runs.record(results, folder)
    assert not Results(folder).partial
    written = {path: path.read_bytes() for path in folder.rglob("*.*")}
    output = project.succeed(**TINY)
    assert "Cyclic" not in output
    assert project.table("tables/runs.csv")["run"].tolist() == ["The article", "mine", "This run"]
    assert written == {path: path.read_bytes() for path in folder.rglob("*.*")}
    output = project.succeed(**TINY)
    assert "Nothing to be done" in output
