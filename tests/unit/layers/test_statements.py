"""What the article says of layers, measured: also that the measures can turn out otherwise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from convstudy.article import facts
from convstudy.layers import statements
from helpers.paths import ROOT


@pytest.fixture(scope="module")
def table(for_claims: Path) -> pd.DataFrame:
    found = pd.read_csv(for_claims / "verification/statements.csv")
    return found.assign(met=(found["expected"] - found["actual"]).abs() <= found["tolerance"])


def test_all_that_is_printed_comes_out_again(table: pd.DataFrame):
    printed = table[table["id"].str.match("code_|shapes_|depthwise_arguments|many_channels")]
    assert printed["met"].all(), printed[~printed["met"]]
    # 6 kernels and 2 channels of 3×3 cells, and 3 outputs, for example.
    numbers = printed["id"].value_counts()
    assert numbers["code_conv2d_multi"] == 6 * 9 + 2 * 9 + 3
    assert numbers["code_transpose"] == 6 * 9 + 3 * 4 + 2 * 16
    assert numbers["depthwise_arguments"] == 14


def test_a_round_trip_keeps_the_shape_and_loses_the_numbers(table: pd.DataFrame):
    by_id = table.groupby("id")["actual"]
    assert by_id.get_group("round_trip_shape").tolist() == [1, 1]
    assert by_id.get_group("round_trip").between(0.5, 1).all()


def test_an_inverse_would_be_seen_as_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statements, "keras_layer", lambda _, image, kernel: image)
    monkeypatch.setattr(statements, "_overlaps", lambda: ())
    rows = list(statements._transpose(np.random.default_rng(0)))
    assert {row[3] for row in rows if row[0] == "round_trip_shape"} == {1}
    assert max(row[3] for row in rows if row[0] == "round_trip") < 1e-9


def test_kernels_overlap_most_in_the_centre(table: pd.DataFrame):
    overlaps = {
        name: set(table.loc[table["id"] == f"overlaps_{name}", "actual"])
        for name in ("centre", "edge", "corner")
    }
    assert overlaps == {"centre": {4}, "edge": {2}, "corner": {1}}


def test_each_half_of_a_separable_layer_works_in_its_own_direction(table: pd.DataFrame):
    reached = table.set_index("id")["actual"]
    assert reached[["depthwise_cells", "depthwise_channels"]].tolist() == [9, 1]
    assert reached[["pointwise_cells", "pointwise_channels"]].tolist() == [1, 5]


def test_an_argument_that_keras_no_longer_has_is_found(monkeypatch: pytest.MonkeyPatch):
    quoted = {"kernel_size": "required", "padding": "same", "data_type": None}
    monkeypatch.setattr(facts, "load", lambda: {"depthwise_arguments": quoted})
    found = {row[1].split()[0]: row[3] for row in statements._signature()}
    assert found == {"kernel_size": 1, "padding": 0, "data_type": 0, "the": 1}


def test_families_are_those_of_the_papers(for_claims: Path):
    """Howard et al., arXiv 1704.04861, table 1; Chollet, arXiv 1610.02357, figure 5."""
    families = pd.read_csv(for_claims / "counts/families.csv").set_index("family")
    mobilenet, xception = families.loc["mobilenet"], families.loc["xception"]
    assert mobilenet[["depthwise", "separable"]].tolist() == [13, 0]
    assert mobilenet[["depthwise_after_conv", "depthwise_before_1x1"]].tolist() == [13, 13]
    assert mobilenet["conv_depthwise_depthwise"] == 0
    # 36 convolutions, and 4 in shortcuts.
    assert xception[["conv", "separable", "convolutions"]].tolist() == [6, 34, 40]


def test_the_job_for_claims_writes_what_a_record_keeps():
    from convstudy.results.run import FOR_CLAIMS

    rule = (ROOT / "workflow/rules/verification.smk").read_text(encoding="utf-8")
    assert all(f'"results/{name}"' in rule for name in FOR_CLAIMS)
