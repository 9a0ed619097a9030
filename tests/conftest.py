"""What several test modules share."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
from helpers.paths import ROOT

# A busy machine is no failure.
hypothesis.settings.register_profile("convstudy", deadline=None)
hypothesis.settings.load_profile("convstudy")

# Must stand before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# As in training: sums that are split among threads otherwise round otherwise.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
# As in training, too: without it, processors that have only AVX2 would compute otherwise.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"


# Files that take minutes come before others of their folder, so that none is alone at the end.
LONGEST = ("test_pipeline.py", "test_faults.py", "test_beyond.py", "test_overlays.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files of a folder: long ones first."""
    folders = {path: number for number, path in enumerate({item.path.parent: 0 for item in items})}

    def rank(item: pytest.Item) -> tuple[int, int]:
        name = item.path.name
        place = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return folders[item.path.parent], place

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def named_by(variable: str, why: str) -> Path:
    """Return the folder that an environment variable names, or skip."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: {why}")
    return Path(folder)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real CIFAR-10, or skip."""
    return named_by("CONVSTUDY_CIFAR10", "no real CIFAR-10 to test with")


@pytest.fixture(scope="session")
def validators() -> Path:
    """Return the folder where .ci/run put other people's validators, or skip."""
    return named_by("CONVSTUDY_VALIDATORS", ".ci/run fetches the validators")


@pytest.fixture(scope="session")
def for_claims(tmp_path_factory) -> Path:
    """Return a folder with the files that only claims read; Keras makes them once."""
    from convstudy.core.files import write_csv
    from convstudy.layers import families, statements
    from convstudy.results.run import FOR_CLAIMS

    folder = tmp_path_factory.mktemp("for_claims")
    made = (statements.check_statements(), families.count_families())
    for name, table in zip(FOR_CLAIMS, made, strict=True):
        write_csv(folder / name, table)
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Return a copy of the recorded run, which is small and has all analyses, with its tables."""
    from convstudy.analyses.article_study import tables
    from helpers.results import RECORDED

    folder = tmp_path_factory.mktemp("recorded") / "results"
    shutil.copytree(RECORDED.folder, folder)
    tables.write_tables(RECORDED, folder / "tables")
    return folder
