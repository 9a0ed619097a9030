"""``python -m convstudy``: the commands that are no part of a run."""

import subprocess
import sys

import pytest
from convstudy.__main__ import main
from convstudy.training import store
from helpers.search import PaperCurve


@pytest.fixture
def curves(tmp_path):
    """Return a store of one curve of three epochs."""
    list(PaperCurve(tmp_path / "curves", ("conv", "conv"), 0).epochs(3))
    return tmp_path / "curves"


def test_curves_are_listed(curves, capsys):
    main(["curves", "--store", str(curves)])
    first, last = capsys.readouterr().out.splitlines()
    [row] = store.stored(curves)
    assert first.startswith(row["name"])
    assert "  3 epochs" in first
    assert f"{row['test_accuracy_best']:.2%} best test accuracy" in first
    assert last == f"1 curves in {curves}"


def test_a_curve_without_an_epoch_has_no_accuracy(curves, capsys):
    [path] = curves.glob("*/curve.json")
    path.write_text("{")
    main(["curves", "--store", str(curves)])
    assert "no best test accuracy" in capsys.readouterr().out


def test_curves_are_pruned(curves, capsys):
    main(["prune", "--store", str(curves), "--days", "0", "--checkpoints-only"])
    assert "freed 0.0 MB" in capsys.readouterr().out
    assert not list(curves.rglob("*.keras"))
    assert list(curves.rglob("curve.json"))
    main(["prune", "--store", str(curves), "--days", "0"])
    assert not list(curves.rglob("curve.json"))


def test_how_old_a_curve_must_be_has_to_be_said(curves):
    with pytest.raises(SystemExit) as caught:
        main(["prune", "--store", str(curves)])
    assert caught.value.code == 2
    assert list(curves.rglob("curve.json"))


def test_a_mistake_is_one_line_and_status_1(tmp_path):
    command = [sys.executable, "-m", "convstudy", "record", "nothing", "--into", str(tmp_path)]
    command += ["--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "provenance.json is missing" in line


def test_each_command_explains_itself(capsys):
    for name in ("curves", "prune", "record"):
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        assert f"usage: python -m convstudy {name}" in capsys.readouterr().out


def test_a_reader_that_leaves_early_sees_no_traceback():
    command = f"{sys.executable} -m convstudy config | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
