"""The example overlays, each run to its report at a tiny size."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from convstudy.article import facts
from convstudy.config import settings
from convstudy.core.files import write_csv
from convstudy.core.section import merged
from convstudy.data.dataset import load_arrays
from convstudy.data.examples import write_digits
from convstudy.layers import counts
from convstudy.layers.networks import Networks
from convstudy.results.run import Results
from convstudy.search.study import from_settings
from convstudy.training.settings import of_modules
from convstudy.training.store import single_kind_curves
from helpers.paths import ROOT
from helpers.pipeline import Project

MOBILENET = "config/examples/mobilenet.yaml"
# The other one is run to its report on real images, in test_pipeline.py.
ALL = sorted(set((ROOT / "config/examples").glob("*.yaml")) - {ROOT / MOBILENET})
EXAMPLES = [path for path in ALL if "digits" not in path.stem]
DIGITS = [path for path in ALL if path not in EXAMPLES]
STUDY = {"trials": 1, "sampler": {"name": "random"}, "pruner": {"name": "none"}}
TINY = {
    "data": {"source": "synthetic", "train_images": 100, "test_images": 50},
    # One stage of one layer, as networks take most of the time to be built.
    "model": {"width": 0.0625, "stages": [{"channels": 64, "layers": 1, "pooling": 1}]},
    "training": {"epochs": 1, "replicates": 1, "batch_size": 50},
    "search": {"epochs": 1, "studies": {"accuracy": STUDY, "penalised": STUDY}},
    "analyses": [],
}


def prepare(project: Project) -> Networks:
    """Train in this process, as jobs that each load TensorFlow take long, and check counts."""
    project.succeed("results/data/summary.json")
    config = settings.read([project.folder / name for name in ("config/config.yaml", "tiny.yaml")])
    results = project.folder / "results"
    dataset, state = load_arrays(results / "data"), results / ".state"
    for curve in single_kind_curves(config, state / "curves", dataset):
        curve.train(config["training"]["epochs"])
    for name, study in config["search"]["studies"].items():
        params = {"settings": study, "state": state, "model": config["model"]}
        params |= {key: config["search"][key] for key in ("epochs", "workers", "storage")}
        params["training"] = of_modules(config)
        from_settings(name, SimpleNamespace(**params), dataset).run_worker()
    project.lay_verification()
    networks = Networks.of(config["model"])
    few = counts.verify(networks, config["model"]["width"], most=5)
    assert few["passed"].all()
    write_csv(results / "verification/counts.csv", few)
    return networks


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    assert f"make report CONFIG=config/examples/{path.name}" in text


@pytest.mark.parametrize("path", DIGITS, ids=lambda path: path.stem)
def test_images_of_ones_own_run_to_a_report_that_speaks_of_them(path: Path, root, tmp_path):
    pytest.importorskip("sklearn")
    overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
    few = {"data": {"train_images": 100, "test_images": 50}}
    project = Project(root, tmp_path, tiny=merged(overlay, {**TINY, **few}))
    write_digits(project.folder / "images")
    prepare(project)
    project.succeed("--rerun-triggers=mtime")
    results = Results(project.folder / "results")
    name = overlay["data"]["name"]
    assert (results.images, len(results.data["classes"])) == (name, 10)
    assert "balanced_accuracy" in results.table("tables/single_kind.csv")
    page = (project.folder / "reports/report.html").read_text(encoding="utf-8")
    text = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    assert f"Which convolution layer is worth its parameters: {name}" in text
    assert f"The networks classify {name} into 10 classes." in text
    assert "Always answering" in text
    assert "Mean over classes" in text
    assert f"The images of this run, {name}, are not the article's." in text
    for accuracy in facts.accuracies().values():
        assert f"{100 * accuracy:.2f}" not in text
    assert "always the largest class" in (
        project.folder / "results/figures/learning_curves.svg"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_to_its_report(path: Path, root, tmp_path):
    text = path.read_text(encoding="utf-8")
    project = Project(root, tmp_path, tiny=merged(yaml.safe_load(text), TINY))
    networks = prepare(project)
    said = project.succeed("--rerun-triggers=mtime")
    assert "Searching modules" in said
    assert "Verifying" not in said
    results = Results(project.folder / "results")
    assert not networks.is_article
    trials = results.table("tables/trials.csv")["module"]
    assert set(trials) <= set(networks.modules())
    page = (project.folder / "reports/report.html").read_text(encoding="utf-8")
    assert "The networks of this run are not the article" in page
    for kind in networks.kinds.values():
        assert kind.label.replace("'", "&#x27;") in page
    assert pd.read_csv(project.folder / "results/claims.csv").empty
