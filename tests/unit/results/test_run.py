"""How a results folder is read, and how a run's settings are recorded."""

import subprocess
import sys

import pytest
from convstudy.config import analyses, settings, yaml_file
from convstudy.core.files import read_json
from convstudy.results import run
from convstudy.results.run import Results
from helpers.paths import ROOT
from helpers.results import ALL_EXACT, STUDIES, write_sample

ARTICLE = yaml_file.read(ROOT / "config/article.yaml").content


def test_names_are_had_without_loading_plotting_packages():
    code = (
        "import sys; from convstudy.results.run import *; from convstudy.config import analyses;"
        f"table_names({STUDIES}); result_files({STUDIES}); analyses.captions(analyses.names());"
        "print([name for name in ('matplotlib', 'seaborn', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["evidence", "evidence-gpu", "evidence-gpu-float32"])
def test_a_run_of_an_earlier_version_is_read_in_todays_form(name):
    folder = ROOT / "results/reference" / name
    before = read_json(folder / "run.json")
    assert "extras" in before
    assert "analyses" not in before["config"]
    today = Results(folder)
    assert today.analyses == []
    assert today.run["config"]["module_table"] == before["config"]["exhaustive"]
    assert "exhaustive" not in today.run["config"]
    assert "extras" not in today.run


def test_what_earlier_versions_recorded_is_read_as_todays():
    before = {
        "config": {"exhaustive": {"epochs": 3}, "training": {}},
        "extras": ["exhaustive", "optimism"],
    }
    assert run.in_todays_form(before) == {
        "config": {
            "module_table": {"epochs": 3},
            "training": {"recipe": 2},
            "analyses": ["module_table", "epoch_selection"],
        }
    }


@pytest.mark.parametrize("made", [[], ["module_table", "penalties"]])
def test_settings_are_recorded_but_no_folder_and_no_look(made, tmp_path):
    config = settings.validate({"analyses": made})
    config["data"]["directory"] = "/somewhere"
    run.write_run(tmp_path, config, ARTICLE, ALL_EXACT)
    recorded = read_json(tmp_path / "run.json")["config"]
    assert "report" not in recorded
    assert "directory" not in recorded["data"]
    assert recorded["analyses"] == made
    assert Results(tmp_path).analyses == made
    # The original config is unchanged.
    assert config["data"]["directory"] == "/somewhere"


def test_the_recorded_config_makes_the_same_run_again(tmp_path):
    changed = {
        "data": {"source": "synthetic", "directory": "/somewhere"},
        "search": {"studies": {"accuracy": None, "mine": {"trials": 7}}},
    }
    config = settings.validate(settings.merged(settings.validate({}), changed))
    run.write_run(tmp_path, config, ARTICLE, ALL_EXACT)
    again = settings.read([ROOT / "config/config.yaml", tmp_path / "config.yaml"])
    assert again == {**config, "data": {**config["data"], "directory": None}}
    assert list(again["search"]["studies"]) == ["penalised", "mine"]


def test_a_leftover_folder_of_an_analysis_does_not_count(tmp_path):
    results = Results(write_sample(tmp_path))
    for name in analyses.names():
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.csv").write_text("module\n")
    assert not any(results.has(f"{name}/summary.csv") for name in analyses.names())
    assert results.has("training/summary.csv")
    results.run["config"]["analyses"] = ["recipes"]
    assert [name for name in analyses.names() if results.has(f"{name}/summary.csv")] == ["recipes"]
