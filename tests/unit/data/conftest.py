import socket

import pytest
from convstudy.data import sources
from helpers.images import encoded, pixels, write_parquet


@pytest.fixture
def parquet(tmp_path):
    """Return a folder of 40 training and 20 test images."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    for split, images in (("train", pixels(40)), ("test", pixels(20, seed=1))):
        path = folder / f"{split}-00000-of-00001.parquet"
        write_parquet(path, map(encoded, images), [row % 10 for row in range(len(images))])
    return folder


@pytest.fixture
def no_keras(tmp_path, monkeypatch):
    """Return an empty Keras folder, with no server at the archive's URL."""
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(sources, "ARCHIVE_URL", f"http://127.0.0.1:{port}/archive")
    return home


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
