"""Thousands of damaged inputs: each is refused in one line, or read as what it is."""

import copy
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from convstudy.config import settings
from convstudy.core.errors import UserError
from convstudy.data import dataset, sources
from convstudy.search.export import export
from convstudy.training.trainer import Recipe
from helpers import search as search_example
from helpers.search import EPOCHS, PaperCurve, search
from PIL import Image

JUNK = [
    None, True, -1, 0, 1, 10**30, 0.5, -0.0, float("nan"), float("inf"), "", "x", "1e-3", "null",
    "tensorflow", "журнал", "\x00", "../..", [], [1], {}, {"a": 1}, {"name": "tpe"}, [[[]]],
]  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Change, cut out, repeat or insert a few bytes, or cut the end off."""
    result = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        where = rng.randrange(len(result) + 1)
        how = rng.randrange(5)
        if how == 0 and where < len(result):
            result[where] ^= 1 << rng.randrange(8)
        elif how == 1 and where < len(result):
            result[where] = rng.randrange(256)
        elif how == 2:
            del result[where : where + rng.choice([1, 2, 10, 100])]
        elif how == 3:
            result[where:where] = result[where : where + rng.choice([1, 10, 100])]
        else:
            result[where:where] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4])))
    return bytes(result[: rng.randrange(len(result) + 1)] if rng.random() < 0.1 else result)


def damages(path: Path, rng: random.Random, times: int) -> Iterator[None]:
    """Damage a file so many times, each time from the whole one, which is put back at the end."""
    content = path.read_bytes()
    try:
        for _ in range(times):
            path.write_bytes(mutated(content, rng))
            yield
    finally:
        path.write_bytes(content)


def one_line(error: UserError) -> bool:
    """Check that an error is one line."""
    assert "\n" not in str(error)
    return True


def places(value: object, path: tuple = ()) -> list[tuple]:
    """List the paths of everything below a mapping."""
    if not isinstance(value, dict):
        return [path]
    below = [one for key, item in value.items() for one in places(item, (*path, key))]
    return [path, *below] if path else below


def mutate_config(config: dict, rng: random.Random) -> dict:
    """Replace, remove, rename, move or add a key or two."""
    config = copy.deepcopy(config)
    for _ in range(rng.choice([1, 1, 2, 3])):
        path = rng.choice(places(config) or [("x",)])
        parent = config
        for key in path[:-1]:
            parent = parent[key]
        how = rng.randrange(5)
        if how == 0:
            parent[path[-1]] = copy.deepcopy(rng.choice(JUNK))
        elif how == 1:
            parent.pop(path[-1], None)
        elif how == 2:
            parent[rng.choice([f"{path[-1]}s", "", 3, None, str(path[-1]).upper()])] = parent.pop(
                path[-1], 1
            )
        elif how == 3:
            config[path[-1]] = copy.deepcopy(parent.get(path[-1]))
        else:
            parent[rng.choice(["x", "weight", "name", 7])] = copy.deepcopy(rng.choice(JUNK))
    return config


@pytest.mark.fault(
    "3,000 configs with wrong, missing, renamed and misplaced keys",
    where="before any job",
    lost="nothing: one line per mistake, naming its key",
)
def test_configs(root):
    rng = random.Random(1)
    good = yaml.safe_load((root / "config/config.yaml").read_text())
    refused = 0
    for _ in range(3000):
        config = mutate_config(good, rng)
        try:
            valid = settings.validate(config, this_machine=False)
        except UserError as error:
            refused += 1
            head, *lines = str(error).splitlines()
            assert head.startswith("the config has")
            assert lines
            assert all(line.startswith("  ") and len(line) < 600 for line in lines)
            continue
        # What is accepted can be used.
        assert settings.validate(valid, this_machine=False) == valid
        Recipe.from_settings(valid["training"], valid["search"]["epochs"])
        json.dumps(valid, allow_nan=False)
    assert 1500 < refused < 3000


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Store the curves of a small study."""
    folder = tmp_path_factory.mktemp("stored")
    study = search(folder, trials=6)
    study.run_worker()
    [name, *_] = export(study)[0]["curve"]
    kinds = name.partition("_")[0].split("-")
    return study, PaperCurve(folder / "curves", kinds, 0)


@pytest.mark.fault(
    "2,000 damaged curve files", where="in curve.json", lost="time: the curve is trained again"
)
def test_curve_files(stored, caplog):
    rng = random.Random(2)
    _, curve = stored
    path = curve.folder / "curve.json"
    good = curve.read()
    refused = 0
    for _ in damages(path, rng, 2000):
        try:
            assert curve.read() == good
        except UserError as error:
            refused += one_line(error)
    assert refused > 1500
    # Whoever asks for epochs gets those of an undamaged curve.
    caplog.set_level(logging.ERROR, logger="convstudy")
    for _ in damages(path, rng, 100):
        [*records] = curve.epochs(EPOCHS)
        for record, expected in zip(records, good["records"], strict=False):
            assert {**record, "trained_for": ""} == {**expected, "trained_for": ""}
        for aside in curve.folder.glob("damaged-*"):
            aside.unlink()


@pytest.mark.fault(
    "300 damaged study journals",
    where="in study.log",
    lost="at most the contents of the damaged lines, with a message that says so",
)
def test_journals(stored, caplog):
    rng = random.Random(3)
    study, _ = stored
    good = export(study)[0]
    read = 0
    for _ in damages(study.store.file, rng, 300):
        caplog.clear()
        try:
            table = export(search_example.search(study.folder.parents[1], trials=6))[0]
        except UserError:
            continue
        read += 1
        # Another objective than the curve's is told; another winner cannot come of it.
        assert caplog.messages or table.equals(good)
    assert read


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """Return a folder of 20 training and 10 test images, written with checksums."""
    folder = tmp_path_factory.mktemp("parquet")
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 10)):
        rows = []
        for _ in range(count):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
            image.save(folder / "image.png")
            rows.append({"bytes": (folder / "image.png").read_bytes(), "path": None})
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({"img": pa.array(rows, kind), "label": [n % 10 for n in range(count)]})
        pq.write_table(table, folder / f"{split}-0.parquet", write_page_checksum=True)
    (folder / "image.png").unlink()
    return folder


@pytest.mark.fault(
    "1,000 damaged Parquet files",
    where="in the CIFAR-10 folder",
    lost="nothing: a one-line message",
)
def test_parquet_files(parquet):
    rng = random.Random(4)
    good = sources.read_directory(str(parquet))
    refused = 0
    for _ in damages(parquet / "train-0.parquet", rng, 1000):
        try:
            read = sources.read_directory(str(parquet))
        except UserError as error:
            refused += one_line(error)
            continue
        np.testing.assert_array_equal(read.images["train"], good.images["train"])
        np.testing.assert_array_equal(read.labels["train"], good.labels["train"])
    assert refused > 800


@pytest.mark.fault(
    "500 damaged files of prepared arrays",
    where="in results/data",
    lost="nothing: a one-line message",
)
@pytest.mark.filterwarnings("ignore")
def test_prepared_arrays(tmp_path):
    rng = random.Random(5)
    made = {"source": "synthetic", "train_images": 30, "test_images": 10, "seed": 0}
    made |= {"validation_images": 10}
    dataset.prepare(made, None, tmp_path)
    good = dataset.load_arrays(tmp_path)
    arrays = {name: np.array(value) for name, value in vars(good).items() if name != "digest"}
    refused = 0
    for _ in range(500):
        path = rng.choice([*sorted(tmp_path.glob("*.npy")), tmp_path / "summary.json"])
        for _ in damages(path, rng, 1):
            try:
                read = dataset.load_arrays(tmp_path)
                read.verify()
                for name, array in arrays.items():
                    np.testing.assert_array_equal(getattr(read, name), array)
            except UserError as error:
                refused += one_line(error)
    assert refused > 300
