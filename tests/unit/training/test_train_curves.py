"""Tests of the script that trains curves without Snakemake, and of the record it grows."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
import tomllib

import pandas as pd
import pytest
import yaml
from convstudy import __main__ as commands
from convstudy.core.errors import UserError
from convstudy.core.files import read_json, write_json, write_sealed
from convstudy.results import reference_runs
from convstudy.results.run import Results
from convstudy.training.record import load_description

# The script may import these, but none of the project's other dependencies.
NEEDED = {"filelock", "pydantic", "keras", "numpy", "pillow", "pyarrow", "pyyaml"}
WITHOUT = """
import runpy, sys
sys.modules.update(dict.fromkeys(%s))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
CURVES = "training/curves"


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def start(request, root, tmp_path_factory):
    """Return the folder, and a function that starts the script in it."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed: make setup EXTRA={request.param}")
    folder = tmp_path_factory.mktemp("clone")
    tiny = {
        "data": {"source": "synthetic", "train_images": 100, "test_images": 50},
        "model": {"width": 0.03125},
        "training": {"epochs": 2, "replicates": 1, "batch_size": 50, "backend": request.param},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    packages = {re.split(r"[\\[>=<]", one)[0].replace("-", "_") for one in project["dependencies"]}
    # JAX itself uses SciPy.
    own = {"scipy"} if request.param == "jax" else set()
    code = WITHOUT % sorted(packages - NEEDED - own)

    def start(*arguments):
        script = str(root / "benchmarks/train_curves.py")
        command = [sys.executable, "-c", code, script, "tiny.yaml", *arguments]
        return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)

    return folder, start


def commit(folder):
    """Make the results look like those of a clean commit, whatever the state of this checkout."""
    about = read_json(folder / "results/provenance.json")
    write_json(folder / "results/provenance.json", {**about, "commit": "abc", "dirty": False})


@pytest.mark.fault(
    "SIGKILL of benchmarks/train_curves.py, then recording what is finished",
    where="after its first curve",
    lost="the current epoch",
)
def test_curves_are_trained_killed_continued_and_recorded(start, capsys):
    folder, start = start
    first = folder / "results" / CURVES / "depthwise_0.json"
    into = ["--results", str(folder / "results"), "--into", str(folder / "reference")]
    _, said = (idle := start("--minutes", "0")).communicate()
    assert idle.returncode == 0, said
    assert said.count("skipped, as it needs about") == 3
    assert "0 of 3 curves are finished" in said
    commit(folder)
    with pytest.raises(SystemExit, match=r"nothing in .* is finished; wait for"):
        commands.main(["record", "evidence", *into])

    killed = start()
    while not first.is_file():
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = load_description(str(first))
    commit(folder)
    commands.main(["record", "evidence", *into])
    part = Results(folder / "reference/evidence")
    assert part.partial
    assert set(part.training["kind"]) == {"depthwise"}
    about = read_json(part.folder / "reference.json")
    assert about["command"].startswith("python benchmarks/train_curves.py ")
    assert f"{CURVES}/depthwise_0.json" in about["sha256"]

    _, said = (again := start()).communicate()
    assert again.returncode == 0, said
    assert "3 of 3 curves are finished" in said
    assert load_description(str(first)) == before
    commit(folder)
    commands.main(["record", "evidence", *into])
    grown = Results(part.folder)
    assert list(grown.training["kind"]) == ["conv", "depthwise", "separable"]
    assert list(grown.curves.groupby("kind").size()) == [2, 2, 2]
    curve = load_description(str(part.folder / CURVES / "conv_0.json"))
    assert all("test_right" in record for record in curve["records"])
    assert "checkpoint" not in json.dumps(curve)
    assert len(curve["identity"]["data"]) == 64
    capsys.readouterr()


def test_a_record_takes_no_other_curves(start):
    folder, _ = start
    results, target = Results(folder / "results"), folder / "reference/evidence"
    path = folder / "results" / CURVES / "conv_0.json"
    right = load_description(str(path))
    changed = json.loads(json.dumps(right))
    changed["records"][0]["test_accuracy"] += 0.01
    write_sealed(path, changed)
    with pytest.raises(UserError, match=r"conv_0\.json differs from .* retrained; keep"):
        reference_runs.record(results, target)
    for record in changed["records"]:
        record |= {"matmul_precision": "bfloat16", "processor": "Some CPU, AMX9"}
    write_sealed(path, changed)
    with pytest.raises(UserError, match=r"epoch 1 was computed in bfloat16 on Some CPU, AMX9"):
        reference_runs.record(results, folder / "reference/other")
    write_sealed(path, right)
    run = read_json(folder / "results/run.json")
    write_json(
        folder / "results/run.json", {**run, "config": {**run["config"], "model": {"width": 1}}}
    )
    with pytest.raises(UserError, match=r"has other settings \(section model\)"):
        reference_runs.record(Results(folder / "results"), target)
    write_json(folder / "results/run.json", run)
    data = read_json(folder / "results/data/summary.json")
    write_json(folder / "results/data/summary.json", {**data, "digest": "others"})
    with pytest.raises(UserError, match=r"has other settings \(other images\)"):
        reference_runs.record(Results(folder / "results"), target)
    write_json(folder / "results/data/summary.json", data)


def test_a_curve_of_other_settings_that_lies_there_is_left_out(start):
    folder, _ = start
    path = folder / "results" / CURVES / "conv_0.json"
    right = load_description(str(path))
    write_sealed(path, {**right, "curve": "conv-conv_width1_seed0_abc"})
    reference_runs.record(Results(folder / "results"), folder / "reference/two")
    kinds = Results(folder / "reference/two").training["kind"]
    assert list(kinds) == ["depthwise", "separable"]
    write_sealed(path, right)


def test_the_table_of_runs_shows_a_part(start):
    folder, _ = start
    part = folder / "reference/evidence"
    (part / CURVES / "conv_0.json").unlink()
    summary = pd.read_csv(part / "training/summary.csv")
    more = summary[summary["kind"] == "depthwise"].assign(replicate=1)
    summary = pd.concat([summary[summary["kind"] != "conv"], more])
    summary.to_csv(part / "training/summary.csv", index=False)
    checks = Results(folder / "reference/checks")
    for name in reference_runs.ABOUT:
        (checks.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (checks.folder / name).write_bytes((part / name).read_bytes())
    write_json(checks.folder / "reference.json", {"name": "checks"})
    table = reference_runs.tabulate(Results(part), [Results(part), checks]).set_index("run")
    assert "checks" not in table.index
    assert table.loc["evidence", "width"] == 0.03125
    assert pd.isna(table.loc["evidence", "conv"])
    assert table.loc["evidence", "depthwise"] == pytest.approx(more["test_accuracy_best"].item())
    assert table.loc["evidence", "replicates"] == "1 to 2"
