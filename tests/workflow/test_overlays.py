"""The example overlays, each run to its report at a tiny size."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from convstudy.article import facts
from convstudy.config import settings
from convstudy.core.section import merged
from convstudy.data.dataset import load_arrays
from convstudy.data.examples import write_digits
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
# Modules of four layers are run, and those of two only planned.
EXAMPLES = [path for path in ALL if not path.stem.startswith(("digits", "four", "two"))]
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
    networks = Networks.of(config["model"])
    project.lay_verification(networks)
    return networks


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    assert f"make report CONFIG=config/examples/{path.name}" in text


def with_digits(root: Path, folder: Path, example: str) -> Project:
    """Write the digits, and an overlay that uses a few of them."""
    pytest.importorskip("sklearn")
    overlay = yaml.safe_load((ROOT / f"config/examples/{example}.yaml").read_text("utf-8"))
    # Not relative, as this process reads the settings, too. The classes have unequal numbers.
    directory = str(folder / overlay["data"]["directory"])
    few = {"data": {"directory": directory, "train_images": 100, "test_images": 55}}
    project = Project(root, folder, tiny=merged(overlay, {**TINY, **few}))
    write_digits(project.folder / "images")
    return project


def test_images_of_ones_own_run_to_a_report_that_speaks_of_them(root, tmp_path):
    project = with_digits(root, tmp_path, "digits")
    prepare(project)
    project.succeed("--rerun-triggers=mtime")
    results = Results(project.folder / "results")
    assert (results.images, len(results.data["classes"])) == ("handwritten digits", 10)
    assert "balanced_accuracy" in results.table("tables/single_kind.csv")
    page = (project.folder / "reports/report.html").read_text(encoding="utf-8")
    text = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    assert "Which convolution layer is worth its parameters: handwritten digits" in text
    assert "The networks classify handwritten digits into 10 classes." in text
    assert "Always answering" in text
    assert "Mean over classes" in text
    assert "The images of this run, handwritten digits, are not the article's." in text
    for accuracy in facts.accuracies().values():
        assert f"{100 * accuracy:.2f}" not in text
    curves = (project.folder / "results/figures/learning_curves.svg").read_text(encoding="utf-8")
    assert "always the largest class" in curves


def test_images_of_ones_own_are_enlarged_and_trained(root, tmp_path):
    project = with_digits(root, tmp_path, "digits_npz")
    assert len(prepare(project).modules()) == 9
    data = Results(project.folder / "results").data
    assert (data["shape"], data["name"]) == ([12, 12, 1], "enlarged handwritten digits")
    assert data["notes"][0].startswith("1,797 images resized (Lanczos filter of Pillow")


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


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("two_layers", {"train_model", "search_modules", "train_module", "tabulate_modules"}),
        ("four_layers", {"train_model", "search_modules"}),
    ],
)
def test_an_examples_modules_are_planned(name: str, made: set[str], root, tmp_path):
    example = yaml.safe_load((ROOT / f"config/examples/{name}.yaml").read_text("utf-8"))
    project = Project(root, tmp_path, tiny=merged(example, {"data": TINY["data"]}))
    assert made <= project.jobs()
