"""Clones that were copied, moved or installed from, and results on another disk."""

import shutil
import subprocess

import pytest
from convstudy.core.files import read_json
from helpers.clones import environment_of, make, python_that_installs_nothing, snakemake
from helpers.pipeline import Project

TARGET = "results/counts/models.csv"


@pytest.fixture
def clone(root, tmp_path):
    return Project(root, tmp_path / "first").folder


@pytest.mark.parametrize("how", ["copied", "moved", "linked", "interrupted"])
def test_an_environment_of_another_folder_is_made_anew(clone, how):
    setup = ("setup", f"PYTHON={python_that_installs_nothing(clone.parent)}")
    assert "anew" not in make(clone, *setup)
    assert "Nothing to be done" in make(clone, *setup)
    (clone / ".venv/of_the_first").touch()
    other = clone.parent / "other"
    said = f".venv was made for {clone}: making it anew\n"
    if how == "moved":
        clone.rename(other)
    else:
        shutil.copytree(clone, other, symlinks=True)
    if how == "linked":
        shutil.rmtree(other / ".venv")
        (other / ".venv").symlink_to(clone / ".venv")
    if how == "interrupted":
        (other / ".venv/ready").unlink()
        said = ".venv was made for another folder, or not completely: making it anew\n"
    assert make(other, *setup).startswith(said)
    assert not (other / ".venv/of_the_first").exists()
    assert "Nothing to be done" in make(other, *setup)
    # The first clone still has its own.
    assert how == "moved" or "Nothing to be done" in make(clone, *setup)
    assert how == "moved" or (clone / ".venv/of_the_first").exists()


@pytest.mark.fault(
    "A clone is copied or moved together with its environment",
    where="before a run",
    lost="nothing: Snakemake stops with one line, and make installs a new environment",
)
def test_the_library_of_another_clone_is_refused(clone):
    environment_of(clone)
    other = clone.parent / "other"
    shutil.copytree(clone, other, symlinks=True)
    done = snakemake(other, "--dry-run", TARGET)
    assert done.returncode == 1
    assert (
        f"Python imports convstudy from {clone}/workflow/convstudy, but this workflow's is"
        f" {other}/workflow/convstudy; run make setup here, then" in done.stdout
    )
    assert "Traceback" not in done.stdout
    # The first clone is gone, as if it had been moved here.
    shutil.rmtree(clone)
    done = snakemake(other, "--dry-run", TARGET)
    assert done.returncode == 2
    said = "invalid choice: 'convstudy'"
    assert said in done.stdout.splitlines()[-1]
    comment = (other / "profiles/default/config.yaml").read_text()
    assert f'"{said}": make setup' in comment


def test_an_installed_library_is_used_and_recorded_as_such(clone):
    packages = environment_of(clone, editable=False)
    for name in ("convstudy", "snakemake_logger_plugin_convstudy"):
        shutil.copytree(clone / "workflow" / name, packages / name)
    about = packages / "convstudy-8.7.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: convstudy\nVersion: 8.7\n")
    # Both the workflow and its jobs use the installed library, and not the one beside them.
    (clone / "workflow/convstudy/core/errors.py").write_text("1 / 0")
    done = snakemake(clone, TARGET)
    assert done.returncode == 0, done.stdout
    record = read_json(clone / "results/provenance/count_parameters.json")
    assert (record["commit"], record["installed"]) == (None, "8.7")
    assert len(record["sources"]) == 12


def test_clean_empties_results_on_another_disk_but_keeps_curves_and_recorded_runs(clone):
    disk = clone.parent / "disk"
    kept = ["results/.state/curves/a/curve.json", "results/reference/mine/run.json"]
    gone = ["results/run.json", "results/data/a/b.npy", "results/search/a/trials.csv"]
    for name in (*kept, *gone, "reports/report.html"):
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    disk.mkdir()
    for name in ("results/data", "results/search/a", "results"):
        target = (clone / name).rename(disk / name.replace("/", "-"))
        (clone / name).symlink_to(target)
    make(clone, "clean")
    assert all((clone / name).is_file() for name in kept)
    assert not any((clone / name).exists() for name in (*gone, "reports/report.html"))
    assert sorted(path.name for path in disk.rglob("*") if path.is_file()) == [
        "curve.json",
        "run.json",
    ]
    assert not list((disk / "results-data").iterdir())
    (clone / "results/loop").symlink_to(clone / "results")
    subprocess.run(["make", "clean"], cwd=clone, capture_output=True, timeout=20)
    assert all((clone / name).is_file() for name in kept)
