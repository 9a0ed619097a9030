"""Two runs beside each other: what is compared, what is called clear, and what is said."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from convstudy.__main__ import main
from convstudy.comparison import numbers, page, runs
from convstudy.comparison.numbers import Comparison
from convstudy.core.errors import UserError
from convstudy.core.files import read_json, read_sealed, write_json, write_sealed
from convstudy.results.run import Results
from convstudy.training.record import pack, unpack
from helpers.paths import ROOT
from helpers.results import RECORDED

REFERENCE = ROOT / "results/reference"


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies what a comparison reads of the recorded run."""

    def copy(name: str) -> Path:
        for path in runs.sources(RECORDED.folder):
            target = tmp_path / name / path.relative_to(RECORDED.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        return tmp_path / name

    return copy


def change_curves(folder: Path, change: Callable[[dict[str, Any]], None], kinds: str = "*") -> None:
    """Change the single-kind trainings of a run."""
    for path in folder.glob(f"training/curves/{kinds}_*.json"):
        curve = read_sealed(path)
        curve["curve"] += f"_{folder.name}"
        change(curve)
        write_sealed(path, curve)


def seeded(curve: dict[str, Any]) -> None:
    """Make a training another one of the same network: other errors on the same images."""
    rng = np.random.default_rng(100 + curve["seed"])
    for epoch in curve["records"]:
        right = unpack(epoch["test_right"], curve["test_images"])
        right = np.where(rng.random(len(right)) < 0.1, rng.permutation(right), right)
        epoch["test_right"], epoch["test_accuracy"] = pack(right), float(right.mean())


def worse(curve: dict[str, Any]) -> None:
    """Make a training worse by 15 points."""
    for epoch in curve["records"]:
        right = unpack(epoch["test_right"], curve["test_images"])
        right[np.flatnonzero(right)[: int(0.15 * len(right))]] = False
        epoch["test_right"], epoch["test_accuracy"] = pack(right), float(right.mean())


def single(found: Comparison) -> pd.DataFrame:
    """Return the rows of the single kinds."""
    return found.networks.query("part == @runs.SINGLE").set_index("network")


def compared(*folders: Path) -> Comparison:
    a, b = map(runs.open_run, folders)
    return Comparison(a, b, runs.names_of(a, b))


def said(found: Comparison) -> str:
    """Return the page's text."""
    text = re.sub(r"<style.*?</style>|<img[^>]*>|<[^>]+>", " ", page.page(found))
    return " ".join(text.replace("\u202f", " ").split())


def test_a_run_does_not_differ_from_its_own_copy_elsewhere(copied, capsys, tmp_path):
    folder = copied("copy")
    main(["compare", "cpu-small", str(folder), "--page", str(tmp_path / "page.html")])
    out = capsys.readouterr().out
    assert out.startswith("No difference was found. All 137 settings are equal.")
    assert "Both have the same trainings." in out
    found = compared(RECORDED.folder, folder)
    assert found.outcome == numbers.EQUAL
    assert found.networks["difference"].eq(0).all()
    assert found.networks["low"].isna().all()
    assert set(found.times["reason"]) == {"the same trainings"}
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No verdict differs." in text
    # Neither path nor time of the machine.
    assert str(tmp_path) not in text


def test_a_clear_difference_is_called_clear_in_both_directions(copied):
    one, two = copied("one"), copied("two")
    change_curves(one, seeded)
    change_curves(two, worse, "conv")
    there, back = compared(one, two), compared(two, one)
    row = single(there).loc["conv"]
    assert row["difference"] == pytest.approx(-0.15, abs=0.01)
    assert row["clear"]
    assert "accuracy: conv" in there.clear
    assert there.outcome == numbers.DIFFERENT
    mine = there.networks.set_index(["part", "network"])
    mirrored = back.networks.set_index(["part", "network"]).loc[mine.index]
    for name, other in (("difference", "difference"), ("low", "high"), ("high", "low")):
        assert np.allclose(mine[name], -mirrored[other], equal_nan=True), name
    assert mine["clear"].equals(mirrored["clear"])
    assert mine["a"].equals(mirrored["b"].rename("a"))
    assert "two is" in page.lead(there)
    assert "less accurate" in page.lead(there)
    assert "more accurate" in page.lead(back)


def test_runs_with_other_seeds_are_not_called_different(copied):
    one, two = copied("one"), copied("two")
    change_curves(two, seeded)
    found = compared(one, two)
    assert found.clear == []
    assert found.outcome == numbers.EQUAL
    assert single(found).loc["conv", "low"] < 0


def test_runs_of_unequal_length_are_compared_at_the_last_common_epoch(copied):
    one, two = copied("one"), copied("two")
    change_curves(two, lambda curve: curve["records"].__delitem__(slice(5, None)))
    found = compared(one, two)
    kinds = single(found)
    assert set(kinds["epoch"]) == {"epoch 5"}
    assert set(kinds["epochs_a"]) == {8}
    assert set(kinds["epochs_b"]) == {5}
    curves = RECORDED.curves.query("kind == 'conv' and epoch == 5")["test_accuracy"]
    row = kinds.loc["conv"]
    assert row["a"] == row["b"] == pytest.approx(curves.mean())
    assert "compared after the last epoch that both have" in said(found)


def test_best_and_last_epoch_are_not_taken_for_each_other(copied):
    found = compared(copied("one"), copied("two"))
    row = single(found).loc["conv"]
    summary = RECORDED.training.query("kind == 'conv'")
    assert row["epoch"] == numbers.BEST
    assert row["a"] == pytest.approx(summary["test_accuracy_best"].mean())
    assert row["last_a"] == pytest.approx(summary["test_accuracy_last"].mean())
    assert row["a"] > row["last_a"]


def test_a_single_training_has_no_interval(copied):
    one, two = copied("one"), copied("two")
    change_curves(two, worse)
    for path in two.glob("training/curves/*_[12].json"):
        path.unlink()
    found = compared(one, two)
    assert found.networks["low"].isna().all()
    assert not found.clear
    assert "no accuracy is judged" in said(found)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda curve: curve["environment"].update(threads=2), "other threads"),
        (lambda curve: curve["environment"]["versions"].update(keras="4"), "other versions"),
        (
            lambda curve: [epoch.update(processor="another") for epoch in curve["records"]],
            "other processor",
        ),
        (
            lambda curve: [epoch.update(backend="jax 1") for epoch in curve["records"]],
            "other backend",
        ),
    ],
)
def test_times_are_judged_only_between_equals(copied, change, reason):
    one, two = copied("one"), copied("two")
    change_curves(two, change)
    assert set(compared(one, two).times["reason"]) == {reason}


def test_only_a_factor_beyond_what_a_shared_machine_does_is_clear(copied):
    one = copied("one")

    def faster(factor: float) -> Callable[[dict[str, Any]], None]:
        def change(curve: dict[str, Any]) -> None:
            for epoch in curve["records"]:
                epoch["images_per_second"] = 1000 * factor + curve["replicate"]

        return change

    change_curves(one, faster(1))
    for factor, clear in ((1.3, False), (1 / 1.3, False), (2, True), (0.5, True)):
        two = copied(f"two{factor}")
        change_curves(two, faster(factor))
        times = compared(one, two).times
        assert (times["reason"] == "").all()
        assert times["factor"].to_list() == pytest.approx([factor] * 3, rel=0.01)
        assert (times["clear"] == clear).all()


def test_a_verdict_that_may_flip_by_chance_is_shown_but_not_called_clear(copied):
    one, two = copied("one"), copied("two")
    claims = pd.read_csv(two / "claims.csv").set_index("id")
    trained = claims.index[claims["here"] == "agrees"][0]
    exact = claims.index[claims["basis"] == "arithmetic"][0]
    gone = claims.index[claims["basis"] == "timing"][0]
    claims.loc[trained, "here"] = "disagrees"
    claims.loc[exact, "verdict"] = "not reproduced"
    claims.drop(gone).to_csv(two / "claims.csv")
    found = compared(one, two).claims.set_index("id")
    assert set(found.index) == {trained, exact, gone}
    assert found["clear"].to_dict() == {trained: False, exact: True, gone: False}
    assert "only in one" in found.loc[gone, "why"]
    assert found.loc[trained, "b"].endswith("in this run: disagrees")


def test_a_verdict_that_the_scale_decides_is_clear(copied):
    one, two = copied("one"), copied("two")
    claims = pd.read_csv(two / "claims.csv").set_index("id")
    gated = claims.index[claims["reason"] == "reduced scale"][0]
    claims.loc[gated, ["verdict", "reason"]] = ["reproduced", ""]
    claims.to_csv(two / "claims.csv")
    row = compared(one, two).claims.iloc[0]
    assert (row["id"], bool(row["clear"])) == (gated, True)
    assert row["why"] == "one: reduced scale; two: decided"


def test_a_network_that_a_study_did_not_try_is_chance(copied):
    """One study tries it, another one with another seed does not."""
    one, two = copied("one"), copied("two")
    claims = pd.read_csv(two / "claims.csv").set_index("id")
    drawn = claims.index[(claims["reason"] == "reduced scale") & (claims["here"] == "disagrees")][0]
    claims.loc[drawn, ["reason", "here"]] = ["nothing to compare", "not seen"]
    claims.to_csv(two / "claims.csv")
    found = compared(one, two)
    [row] = found.claims.itertuples()
    assert (row.id, bool(row.clear)) == (drawn, False)
    assert row.why == "one: reduced scale; two: nothing to compare"
    assert found.outcome == numbers.EQUAL


def test_where_nothing_meets_there_is_nothing_to_compare(copied, capsys, tmp_path):
    folder = copied("two")
    shutil.rmtree(folder / "training")
    (folder / "claims.csv").unlink()
    run = read_json(folder / "run.json")
    run["config"]["analyses"] = []
    write_json(folder / "run.json", run)
    with pytest.raises(SystemExit) as caught:
        main(["compare", "cpu-small", str(folder), "--page", str(tmp_path / "page.html")])
    assert caught.value.code == 3
    assert capsys.readouterr().out.startswith("There is nothing to compare")


@pytest.mark.parametrize(
    "pair", [("evidence", "evidence-gpu"), ("evidence-gpu-float32", "cpu-small")]
)
def test_runs_of_earlier_versions_are_compared(pair, capsys, tmp_path):
    with pytest.raises(SystemExit) as caught:
        main(["compare", *pair, "--page", str(tmp_path / "page.html")])
    assert caught.value.code == 1
    assert "settings differ" in capsys.readouterr().out
    assert (tmp_path / "page.html").stat().st_size < 1_500_000


def test_test_images_are_the_same_if_they_are_drawn_in_the_same_way(copied):
    def of(**changes: Any) -> Results:
        folder = copied(str(len(changes)) + "".join(changes))
        data = {**RECORDED.data, "digest": "other", **changes}
        write_json(folder / "data/summary.json", data)
        return Results(folder)

    assert runs.same_test_images(RECORDED, of(used={**RECORDED.data["used"], "train": 10_000}))
    assert not runs.same_test_images(RECORDED, of(seed=1))
    assert not runs.same_test_images(RECORDED, of(encoding="png"))
    assert not runs.same_test_images(RECORDED, of(used={**RECORDED.data["used"], "test": 1000}))
    assert not runs.same_test_images(RECORDED, of(name="digits"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cpu-smal", r"neither a recorded run .* did you mean cpu-small\?"),
        ("empty", r"is no run: it has no run\.json"),
        ("older", r"made by a version whose results cannot be read \(digest is missing\)"),
        ("broken", r"cannot be read"),
    ],
)
def test_a_mistake_in_the_call_is_one_line_and_status_2(name, message, copied, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, text in (("older", "{}"), ("broken", "{")):
        (copied(folder) / "data/summary.json").write_text(text)
    given = name if name.startswith("cpu") else str(tmp_path / name)
    with pytest.raises(SystemExit) as caught:
        main(["compare", "cpu-small", given, "--page", str(tmp_path / "page.html")])
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not (tmp_path / "page.html").exists()


def test_a_damaged_training_is_named(copied):
    folder = copied("one")
    path = next(folder.glob("training/curves/conv_0.json"))
    path.write_text(path.read_text().replace("0.519", "0.619"))
    with pytest.raises(UserError, match=r"conv_0\.json is damaged"):
        _ = compared(RECORDED.folder, folder).networks
