import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from convstudy import __main__ as commands
from convstudy.config import settings
from convstudy.core.errors import UserError
from convstudy.core.files import file_digest, read_json, write_json
from convstudy.results import reference_runs
from convstudy.results.run import FOR_CLAIMS, Results, result_files
from helpers.paths import ROOT
from helpers.results import STUDIES, write_sample

ARTICLE = ROOT / "config/article.yaml"


@pytest.fixture
def run(tmp_path: Path) -> Results:
    folder = write_sample(tmp_path / "results")
    run = read_json(folder / "run.json")
    run["config"] = settings.merged(settings.validate({}), {"model": run["config"]["model"]})
    run["config"]["data"]["directory"] = "/somewhere"
    write_json(folder / "run.json", run)
    (folder / "claims.csv").write_text("id,verdict\n")
    return Results(folder)


def test_a_recorded_run_is_a_results_folder_with_its_config(run: Results):
    reference_runs.record(run, run.folder / "reference/laptop")
    (read,) = reference_runs.runs(run.folder)
    assert read.training.equals(run.training)
    assert list(read.studies) == list(run.studies)
    config = yaml.safe_load((read.folder / "config.yaml").read_text())
    assert config["data"]["directory"] is None
    settings.validate({**config, "model": {"width": 0.25}})
    about = read_json(read.folder / "reference.json")
    assert set(about["sha256"]) == {*result_files(STUDIES), "claims.csv", "config.yaml"}
    assert about["command"].startswith("snakemake --cores all --configfile")


def test_what_only_claims_read_is_recorded_where_it_is_there(run: Results, for_claims: Path):
    reference_runs.record(run, run.folder / "reference/earlier")
    shutil.copytree(for_claims, run.folder, dirs_exist_ok=True)
    reference_runs.record(run, run.folder / "reference/today")
    earlier, today = reference_runs.runs(run.folder)
    for name in FOR_CLAIMS:
        assert today.has(name)
        assert not earlier.has(name)
    assert not earlier.partial


def test_a_record_of_a_version_with_fewer_settings_can_grow(run: Results):
    folder = run.folder / "reference/laptop"
    reference_runs.record(run, folder)
    older = read_json(folder / "run.json")
    del older["config"]["search"]["training"]
    write_json(folder / "run.json", older)
    reference_runs.record(run, folder)
    older["config"]["search"]["training"] = {"batch_size": 32}
    write_json(folder / "run.json", older)
    with pytest.raises(UserError, match=r"other settings \(section search\)"):
        reference_runs.record(run, folder)


def test_a_record_can_grow_by_an_analysis_with_settings_of_its_own(run: Results):
    folder = run.folder / "reference/laptop"
    for epochs, made in ((5, []), (16, ["depth"])):
        run.run["config"] |= {"analyses": made, "depth": {"epochs": epochs}}
        write_json(run.folder / "run.json", run.run)
        reference_runs.record(Results(run.folder), folder)
    run.run["config"]["depth"] = {"epochs": 8}
    write_json(run.folder / "run.json", run.run)
    with pytest.raises(UserError, match=r"other settings \(section depth\)"):
        reference_runs.record(Results(run.folder), folder)


def test_recorded_configs_are_of_todays_settings_and_files_are_as_recorded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The files must be there, but none is read.
    for name in ("train-0.parquet", "test-0.parquet"):
        (tmp_path / name).touch()
    monkeypatch.setenv("CONVSTUDY_CIFAR10", str(tmp_path))
    abouts = sorted((root / "results/reference").glob("*/reference.json"))
    assert len(abouts) >= 4
    for about in abouts:
        config = yaml.safe_load((about.parent / "config.yaml").read_text())
        assert not settings.drop_gone(config), about
        # As whoever repeats the run reads it, laid over the defaults.
        configs = [root / "config/config.yaml", about.parent / "config.yaml"]
        read = settings.read(configs, this_machine=False)
        recorded = settings.filled(Results(about.parent).run["config"])
        for config in (read, recorded):
            del config["report"], config["data"]["directory"]
        assert read == recorded, about
        digests = read_json(about)["sha256"]
        assert {name: file_digest(about.parent / name) for name in digests} == digests, about


def test_the_recorded_command_still_plans_the_run(root: Path, real_data: Path):
    """Recorded configs are rewritten when the settings in them are removed."""
    command = read_json(root / "results/reference/cpu-small/reference.json")["command"].split()
    environment = {**os.environ, "CONVSTUDY_CIFAR10": str(real_data)}
    done = subprocess.run(
        [sys.executable, "-m", *command, "--dry-run"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "find_pareto_front" in done.stdout


def test_what_is_derived_is_made_anew_without_training(root: Path, tmp_path: Path):
    reference_runs.copy_primary(root / "results/reference/cpu-small", tmp_path / "results", ARTICLE)
    (tmp_path / "config").symlink_to(root / "config")
    for split in ("train", "test"):
        (tmp_path / f"{split}-0.parquet").touch()
    config = root / "results/reference/cpu-small/config.yaml"
    command = ["--snakefile", root / "Snakefile", "--directory", tmp_path, "--configfile", config]
    command += ["--cores", "1", "--dry-run", "--rerun-triggers", "mtime"]
    command += ["--", "results/claims.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *command],
        env={**os.environ, "CONVSTUDY_CIFAR10": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    planned = set(re.findall(r"^ +\d+  (\w+)", done.stdout, re.MULTILINE))
    derived = {"check_claims", "tabulate_modules", "measure_optimism", "measure_times"}
    assert derived <= planned
    # What only claims read is made where a record lacks it.
    recorded = root / "results/reference/cpu-small"
    assert ("verify_statements" in planned) != all((recorded / one).is_file() for one in FOR_CLAIMS)
    assert not {rule for rule in planned if rule.startswith(("train_", "measure_mod", "measure_l"))}
    assert "search_modules" not in planned
    assert "prepare_dataset" not in planned


def test_what_the_article_is_read_as_today_is_said_of_an_earlier_run(root: Path, tmp_path: Path):
    recorded = root / "results/reference/cpu-small"
    other = tmp_path / "article.yaml"
    other.write_text(ARTICLE.read_text().replace("startup_trials: 10", "startup_trials: 12"))
    for article, number in ((ARTICLE, 10), (other, 12)):
        reference_runs.copy_primary(recorded, tmp_path / "results", article)
        said = " ".join(Results(tmp_path / "results").reductions)
        assert f"not tpe_optuna_0_5 (startup trials {number})" in said


def test_a_run_without_what_was_trained_cannot_be_derived(run: Results, tmp_path: Path):
    with pytest.raises(UserError, match="is not a recorded run"):
        reference_runs.copy_primary(run.folder, tmp_path / "new", ARTICLE)
    reference_runs.record(run, run.folder / "reference/laptop")
    with pytest.raises(UserError, match="has none of training/curves"):
        reference_runs.copy_primary(run.folder / "reference/laptop", tmp_path / "new", ARTICLE)
    assert not (tmp_path / "new").exists()


def test_runs_stand_beside_the_article(run: Results):
    reference_runs.record(run, run.folder / "reference/laptop")
    table = reference_runs.tabulate(run, reference_runs.runs(run.folder)).set_index("run")
    assert list(table.index) == ["The article", "laptop", "This run"]
    assert table.loc["The article", "conv"] == 0.8766
    mean = run.training.groupby("kind")["test_accuracy_best"].mean()
    assert table.loc["laptop", "conv"] == pytest.approx(mean["conv"])
    assert table.loc["laptop", "replicates"] == "3"


def test_a_run_that_nobody_could_repeat_is_not_recorded(run: Results):
    about = read_json(run.folder / "provenance.json")
    write_json(run.folder / "provenance.json", {**about, "dirty": True})
    with pytest.raises(UserError, match=r"not committed.*commit the changes"):
        reference_runs.record(Results(run.folder), run.folder / "reference/laptop")
    assert reference_runs.runs(run.folder) == []


def test_a_large_file_is_refused_by_name(run: Results, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference_runs, "MOST_BYTES", 100)
    with pytest.raises(UserError, match=r"run\.json has .* MB"):
        reference_runs.record(run, run.folder / "reference/laptop")
    assert reference_runs.runs(run.folder) == []


def test_the_command_records_again_and_says_what_is_wrong(run: Results, capsys):
    into = ["--results", str(run.folder), "--into", str(run.folder / "reference")]
    for _ in range(2):
        commands.main(["record", "laptop", *into])
        assert "recorded in" in capsys.readouterr().out
    [read] = reference_runs.runs(run.folder)
    assert not read.partial
    with pytest.raises(SystemExit, match="is not a valid name"):
        commands.main(["record", "My run", *into])


def test_trainings_of_one_analysis_can_be_recorded_before_all_else(tmp_path):
    """As when one recipe of several is trained, and the tables are still to be made."""
    known = ROOT / "results/reference/evidence-recipes"
    results = tmp_path / "results"
    for name in reference_runs.ABOUT:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(known / name, results / name)
    with pytest.raises(UserError, match=r"nothing in .* is finished; wait for the first curve"):
        reference_runs.record(Results(results), tmp_path / "mine")
    shutil.copytree(known / "recipes", results / "recipes")
    reference_runs.record(Results(results), tmp_path / "mine")
    about = read_json(tmp_path / "mine/reference.json")
    assert sum(name.startswith("recipes/trainings/") for name in about["sha256"]) >= 2
    assert about["command"].startswith("snakemake --cores all --configfile")
