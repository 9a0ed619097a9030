import os
import shutil

import pytest
from convstudy.core.errors import UserError
from convstudy.data import remembered
from convstudy.data.settings import FOLDER_VARIABLE, Data
from helpers.images import DIGITS, JPEG, PNG, encoded, pixels, prepare, write_parquet

AUTO = {**Data().model_dump(), "train_images": None, "test_images": None}


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "images.json"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def _new_shell(monkeypatch, no_keras):
    monkeypatch.setenv(FOLDER_VARIABLE, "")


def lossy(parquet):
    write_parquet(parquet / "test-00000-of-00001.parquet", [PNG] * 9 + [JPEG], DIGITS[:10])


def test_a_new_shell_finds_the_same_folder(parquet, out, memory):
    prepare(out, parquet)
    assert remembered.use_same_folder(memory) == os.environ[FOLDER_VARIABLE] == str(parquet)
    assert remembered.given_folder(AUTO) == str(parquet)


def test_the_variable_has_priority(parquet, out, memory, monkeypatch):
    prepare(out, parquet)
    monkeypatch.setenv(FOLDER_VARIABLE, "elsewhere")
    assert remembered.use_same_folder(memory) is None
    assert os.environ[FOLDER_VARIABLE] == "elsewhere"


def test_one_folder_has_one_name(parquet, monkeypatch):
    monkeypatch.chdir(parquet.parent)
    monkeypatch.setenv(FOLDER_VARIABLE, parquet.name)
    assert remembered.given_folder(AUTO) == str(parquet)
    assert remembered.given_folder({**AUTO, "source": "synthetic"}) is None


@pytest.mark.fault(
    "The CIFAR-10 folder of the last run disappears, and only synthetic images are left",
    where="before a run",
    lost="nothing: a one-line message says how to go back, and how to go on",
)
def test_better_images_are_not_replaced(parquet, out, memory):
    before, _ = prepare(out, parquet)
    shutil.rmtree(parquet)
    message = rf"made from better images \(the folder parquet, SHA-256 {before['digest'][:12]}"
    assert remembered.use_same_folder(memory) is None
    for source in ("auto", "real"):
        with pytest.raises(UserError, match=message):
            remembered.require_within_reach({**AUTO, "source": source}, memory)
    with pytest.raises(UserError, match=message) as error:
        prepare(out, None)
    assert f"bring back {parquet}" in str(error.value)
    assert "data.source: directory, keras or synthetic" in str(error.value)
    synthetic = {**AUTO, "source": "synthetic"}
    remembered.require_within_reach(synthetic, memory)
    after, _ = prepare(out, None, source="synthetic", train_images=100, test_images=50)
    assert after["synthetic"]


def test_exact_images_are_not_replaced_by_lossy_ones(parquet, tmp_path, out):
    other = shutil.copytree(parquet, tmp_path / "other")
    lossy(other)
    prepare(out, parquet)
    with pytest.raises(UserError, match=r"the folder other \(jpeg\); to go back: bring back"):
        prepare(out, other)
    prepare(out, other, source="directory")


def test_better_images_replace_worse_ones(parquet, tmp_path, out, memory):
    other = shutil.copytree(parquet, tmp_path / "other")
    lossy(other)
    prepare(out, None, train_images=100, test_images=50)
    remembered.require_within_reach(AUTO, memory)
    prepare(out, other)
    prepare(out, parquet)
    assert remembered.recall(memory)["directory"] == str(parquet)


def test_what_was_remembered_and_damaged_is_forgotten(parquet, out, memory):
    prepare(out, parquet)
    memory.write_text(memory.read_text().replace("folder", "f0lder"))
    assert remembered.recall(memory) is None


def test_other_images_of_the_same_quality_are_no_change(parquet, tmp_path, out):
    other = shutil.copytree(parquet, tmp_path / "other")
    path = other / "train-00000-of-00001.parquet"
    write_parquet(path, map(encoded, pixels(40, seed=5)), DIGITS[:40])
    before, _ = prepare(out, parquet)
    after, _ = prepare(out, other)
    assert before["digest"] != after["digest"]
