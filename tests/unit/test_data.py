import contextlib
import hashlib
import http.server
import io
import logging
import pickle
import shutil
import socket
import tarfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from convstudy import data
from convstudy.errors import UserError
from convstudy.files import read_json
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

SETTINGS = {
    "source": "auto",
    "train_images": None,
    "validation_images": 0,
    "test_images": None,
    "seed": 0,
}


def pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def encoded(image: np.ndarray, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, kind)
    return file.getvalue()


def write_parquet(path: Path, images: list[bytes], labels: list) -> None:
    rows = [{"bytes": image, "path": None} for image in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"img": pa.array(rows, kind), "label": labels}), path)


def write_split(folder: Path, split: str, images: np.ndarray, labels: list, kind="PNG") -> Path:
    path = folder / f"{split}-00000-of-00001.parquet"
    write_parquet(path, [encoded(image, kind) for image in images], labels)
    return path


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """Give a folder of 40 training and 20 test images."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    write_split(folder, "train", pixels(40), [row % 10 for row in range(40)])
    write_split(folder, "test", pixels(20, seed=1), [row % 10 for row in range(20)])
    return folder


@pytest.fixture
def no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty Keras folder, with nobody listening where the archive would come from."""
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(data, "ARCHIVE_URL", f"http://127.0.0.1:{port}/archive")
    return home


def prepare(folder: Path, directory: Path | None, **settings: object) -> dict:
    return data.prepare(SETTINGS | settings, directory and str(directory), folder)


class TestDirectory:
    def test_arrays_are_the_encoded_pixels_in_order(self, parquet: Path, tmp_path: Path):
        summary = prepare(tmp_path / "out", parquet)
        dataset = data.load_arrays(tmp_path / "out")
        np.testing.assert_array_equal(dataset.train_images, pixels(40))
        np.testing.assert_array_equal(dataset.test_images, pixels(20, seed=1))
        np.testing.assert_array_equal(dataset.train_labels, np.arange(40) % 10)
        assert dataset.train_labels.dtype == dataset.train_images.dtype == np.uint8
        assert summary["source"] == "directory"
        assert (summary["encoding"], summary["lossy"], summary["synthetic"]) == (
            "png",
            False,
            False,
        )
        assert summary["available"] == {"train": 40, "test": 20}
        assert summary["used"] == {"train": 40, "validation": 0, "test": 20}
        assert summary["fallbacks"] == []
        assert read_json(tmp_path / "out" / "summary.json") == summary

    def test_digest_is_that_of_the_bytes(self, parquet: Path, tmp_path: Path):
        summary = prepare(tmp_path / "out", parquet)
        labels = np.arange(40, dtype=np.uint8) % 10
        whole = pixels(40).tobytes() + labels.tobytes()
        whole += pixels(20, seed=1).tobytes() + labels[:20].tobytes()
        assert summary["digest"] == hashlib.sha256(whole).hexdigest()
        assert data.load_arrays(tmp_path / "out").digest == summary["digest"]

    def test_one_jpeg_makes_the_whole_lossy(self, parquet: Path, tmp_path: Path):
        images = [encoded(image) for image in pixels(20)]
        images[7] = encoded(pixels(1)[0], "JPEG")
        write_parquet(parquet / "test-00000-of-00001.parquet", images, [0] * 20)
        summary = prepare(tmp_path / "out", parquet)
        assert (summary["encoding"], summary["lossy"]) == ("jpeg", True)

    def test_parts_are_joined_in_order(self, parquet: Path, tmp_path: Path):
        (parquet / "train-00000-of-00001.parquet").unlink()
        for part in (1, 0):
            path = parquet / f"train-0000{part}-of-00002.parquet"
            half = slice(20 * part, 20 * part + 20)
            write_parquet(path, [encoded(image) for image in pixels(40)[half]], [part] * 20)
        prepare(tmp_path / "out", parquet)
        dataset = data.load_arrays(tmp_path / "out")
        np.testing.assert_array_equal(dataset.train_images, pixels(40))
        assert list(dataset.train_labels) == [0] * 20 + [1] * 20

    def test_counts_a_class_are_written(self, parquet: Path, tmp_path: Path):
        prepare(tmp_path, parquet, train_images=20)
        table = pd.read_csv(tmp_path / "classes.csv")
        assert list(table.columns) == ["split", "label", "name", "images"]
        assert list(table.name[:10]) == list(data.CLASS_NAMES)
        assert (table.images == 2).all()


def no_split(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").unlink()


def empty(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").write_bytes(b"")


def truncated(folder: Path) -> None:
    path = folder / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def overwritten(folder: Path) -> None:
    path = folder / "test-00000-of-00001.parquet"
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)


def web_page(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").write_text("<html>Not found</html>")


def no_label(folder: Path) -> None:
    images = pa.array([{"bytes": encoded(pixels(1)[0])}])
    pq.write_table(pa.table({"img": images}), folder / "test-00000-of-00001.parquet")


def bare_images(folder: Path) -> None:
    table = pa.table({"img": [encoded(pixels(1)[0])], "label": [1]})
    pq.write_table(table, folder / "test-00000-of-00001.parquet")


def no_rows(folder: Path) -> None:
    write_split(folder, "test", pixels(0), pa.array([], pa.int64()))


def label_ten(folder: Path) -> None:
    write_split(folder, "test", pixels(3), [9, 10, 0])


def no_number(folder: Path) -> None:
    write_split(folder, "test", pixels(3), ["cat", "dog", "cat"])


def one_row(image: bytes | None, folder: Path) -> None:
    write_parquet(folder / "test-00000-of-00001.parquet", [encoded(pixels(1)[0]), image], [0, 1])


def huge(folder: Path) -> None:
    """Write the head of a PNG of 60,000 x 60,000 pixels: 10 GB if it were decoded."""
    image = bytearray(encoded(pixels(1)[0]))
    image[16:24] = (60_000).to_bytes(4, "big") * 2
    image[29:33] = zlib.crc32(image[12:29]).to_bytes(4, "big")
    one_row(bytes(image), folder)


def absent(folder: Path) -> None:
    """Leave a link to nothing, as a hub's cache does that was cleared in part."""
    path = folder / "test-00000-of-00001.parquet"
    path.unlink()
    path.symlink_to(folder / "blob")


def twice_the_column(folder: Path) -> None:
    path = folder / "test-00000-of-00001.parquet"
    images, labels = pq.read_table(path).columns
    table = pa.Table.from_arrays([images, images, labels], ["img", "img", "label"])
    pq.write_table(table, path)


def lost_part(folder: Path) -> None:
    path = folder / "train-00000-of-00001.parquet"
    path.rename(folder / "train-00000-of-00002.parquet")


DAMAGES = {
    "no files of a split": (no_split, r"no test-\*\.parquet"),
    "a part is missing": (lost_part, "one of 2 files"),
    "a link to nothing": (absent, "damaged or no Parquet file .*No such file"),
    "empty file": (empty, "an empty file"),
    "truncated file": (truncated, "damaged or no Parquet file"),
    "overwritten pages": (overwritten, "damaged or no Parquet file"),
    "a web page": (web_page, "damaged or no Parquet file"),
    "no column label": (no_label, "no column label, only img"),
    "two columns img": (twice_the_column, "damaged or no Parquet file .*exists 2 times"),
    "images without a struct": (bare_images, "no field bytes"),
    "no rows": (no_rows, "no rows"),
    "label 10": (label_ten, "row 1 has the label 10, not one of 0 to 9"),
    "labels as words": (no_number, "row 0 has the label 'cat'"),
    "no image": (lambda folder: one_row(None, folder), "row 1 has no PNG or JPEG"),
    "not an image": (lambda folder: one_row(b"GIF89a", folder), "row 1 has no PNG or JPEG"),
    "half an image": (
        lambda folder: one_row(encoded(pixels(1)[0])[:900], folder),
        "row 1 has an image that cannot be decoded",
    ),
    "half a JPEG image": (
        lambda folder: one_row(encoded(pixels(1)[0], "JPEG")[:900], folder),
        "row 1 has an image that cannot be decoded .*truncated",
    ),
    "wrong size": (
        lambda folder: one_row(encoded(pixels(1)[0][:16]), folder),
        "an image of 32x16 pixels, RGB",
    ),
    "grey image": (
        lambda folder: one_row(encoded(pixels(1)[0], mode="L"), folder),
        "an image of 32x32 pixels, L",
    ),
    "huge image": (huge, "row 1 has an image that cannot be decoded .*exceeds limit"),
}


class TestDamage:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_is_one_line_that_names_the_file_and_writes_nothing(
        self, name: str, parquet: Path, tmp_path: Path, no_keras: Path
    ):
        damage, message = DAMAGES[name]
        damage(parquet)
        # "auto" must not pass a given folder over.
        with pytest.raises(UserError, match=message) as caught:
            prepare(tmp_path / "out", parquet)
        assert "\n" not in str(caught.value)
        assert str(parquet) in str(caught.value)
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path: Path, no_keras: Path):
        with pytest.raises(UserError, match=r"absent is not a folder.*CONVSTUDY_CIFAR10"):
            prepare(tmp_path, tmp_path / "absent")

    def test_a_full_set_has_equally_many_of_each_class(self):
        labels = np.repeat(np.arange(10), 1000)
        data._require_official_counts(labels, "test", "here")
        labels[0] = 5
        with pytest.raises(UserError, match=r"has 1000 a class; found 999, 1000, .*1001"):
            data._require_official_counts(labels, "test", "here")

    def test_more_images_than_cifar10_has_are_refused(
        self, parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(data, "OFFICIAL", {"train": 40, "test": 20})
        whole = parquet / "train-00000-of-00001.parquet"
        shutil.copy(whole, parquet / "train-copy.parquet")
        whole.rename(parquet / "train-first.parquet")
        with pytest.raises(UserError, match=r"80 train images .*CIFAR-10 has 40; remove files"):
            prepare(tmp_path / "out", parquet)

    def test_a_failed_write_leaves_no_summary(
        self, parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        folder = tmp_path / "out"
        prepare(folder, parquet)

        def full(*_: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(np, "save", full)
        with pytest.raises(OSError, match="No space"):
            prepare(folder, parquet, train_images=10)
        assert not (folder / "summary.json").exists()
        assert not list(folder.glob(".*"))


class TestSubset:
    @given(
        st.lists(st.integers(0, 9), min_size=1, max_size=200),
        st.integers(0, 200),
        st.integers(0, 3),
    )
    def test_every_class_has_its_share_up_to_one(self, labels: list, wanted: int, seed: int):
        labels = np.array(labels)
        wanted = min(wanted, len(labels))
        chosen = data.stratified(labels, wanted, seed)
        assert len(chosen) == wanted
        assert (np.diff(chosen) > 0).all()
        shares = np.bincount(labels, minlength=10) * wanted / len(labels)
        taken = np.bincount(labels[chosen], minlength=10)
        assert (np.abs(taken - shares) < 1).all()
        np.testing.assert_array_equal(chosen, data.stratified(labels, wanted, seed))

    def test_largest_remainders_are_rounded_up(self):
        # Shares of 10 in 33: 3.33, 4.55 and 2.12.
        labels = np.repeat([0, 1, 2], [11, 15, 7])
        assert list(np.bincount(labels[data.stratified(labels, 10, 0)])) == [3, 5, 2]

    def test_another_seed_draws_other_images(self):
        labels = np.arange(1000) % 10
        first, second = data.stratified(labels, 500, 0), data.stratified(labels, 500, 1)
        assert (first != second).any()

    def test_seed_changes_the_digest_and_repeating_does_not(self, parquet: Path, tmp_path: Path):
        digests = [
            prepare(tmp_path / str(run), parquet, train_images=20, seed=seed)["digest"]
            for run, seed in enumerate([0, 0, 1])
        ]
        assert digests[0] == digests[1] != digests[2]

    def test_seed_does_not_matter_where_all_are_used(self, parquet: Path, tmp_path: Path):
        digests = {prepare(tmp_path, parquet, seed=seed)["digest"] for seed in range(3)}
        assert len(digests) == 1

    @pytest.mark.parametrize("train_images", [20, None])
    def test_validation_images_are_held_out(
        self, train_images: int | None, parquet: Path, tmp_path: Path
    ):
        without = prepare(tmp_path / "without", parquet, train_images=20)
        settings = {"train_images": train_images, "validation_images": 10}
        summary = prepare(tmp_path / "with", parquet, **settings)
        assert summary["used"] == {"train": train_images or 30, "validation": 10, "test": 20}
        assert summary["digest"] != without["digest"]
        dataset = data.load_arrays(tmp_path / "with")
        assert list(np.bincount(dataset.validation_labels)) == [1] * 10
        images = np.concatenate([dataset.train_images, dataset.validation_images])
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
        if train_images:
            # Those for training are the same, whether others are held out or not.
            kept = data.load_arrays(tmp_path / "without").train_images
            np.testing.assert_array_equal(dataset.train_images, kept)

    @pytest.mark.parametrize("settings", [{"train_images": 35}, {"validation_images": 40}])
    def test_some_images_must_be_left_to_train_on(
        self, settings: dict, parquet: Path, tmp_path: Path
    ):
        message = r"data\.train_images: .* has \d+ train images beside \d+ for validation"
        with pytest.raises(UserError, match=message):
            prepare(tmp_path / "out", parquet, **{"validation_images": 6, **settings})

    def test_synthetic_images_are_held_out_too(self, tmp_path: Path):
        settings = {"source": "synthetic", "train_images": 30, "validation_images": 10}
        summary = prepare(tmp_path, None, test_images=10, **settings)
        assert summary["used"] == {"train": 30, "validation": 10, "test": 10}

    @pytest.mark.parametrize(("split", "available"), [("train", 40), ("test", 20)])
    def test_more_than_there_are_is_an_error(
        self, split: str, available: int, parquet: Path, tmp_path: Path
    ):
        message = rf"data\.{split}_images: 41.* at most {available}, or null"
        with pytest.raises(UserError, match=message):
            prepare(tmp_path / "out", parquet, **{f"{split}_images": 41})
        assert not (tmp_path / "out").exists()


def batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Pickle a batch as the official ones are: channels first, names as bytes, protocol 2."""
    flat = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)
    content = {b"data": flat, b"labels": labels.tolist(), b"batch_label": b"a batch"}
    # The official batches were written before NumPy 2 renamed its core.
    return pickle.dumps(content, protocol=2).replace(b"numpy._core", b"numpy.core")


def pack(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return file.getvalue()


TRAIN, TEST = pixels(50, seed=2), pixels(10, seed=3)
LABELS = np.arange(50, dtype=np.uint8) % 10


@pytest.fixture
def archive(no_keras: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Give an archive like the official one, of 50 and 10 images, taken for the official one."""
    members = {"test_batch": batch(TEST, LABELS[:10]), "batches.meta": b"", "readme.html": b""}
    for number in (3, 1, 5, 2, 4):
        part = slice(10 * number - 10, 10 * number)
        members[f"data_batch_{number}"] = batch(TRAIN[part], LABELS[part])
    content = pack(members)
    monkeypatch.setattr(data, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())
    return content


def cached(home: Path) -> Path:
    path = home / "datasets" / "cifar-10-batches-py-target_archive"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def serve(content: bytes, length: int | None = None, stall: bool = False) -> Iterator[str]:
    """Serve `content` to everyone, saying that it is `length` long; perhaps never end."""
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)
            self.wfile.flush()
            if stall:
                release.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/archive"
        finally:
            release.set()
            server.shutdown()


class TestKeras:
    def test_cached_archive_is_read_without_its_folder(
        self, archive: bytes, no_keras: Path, tmp_path: Path
    ):
        cached(no_keras).write_bytes(archive)
        # What Keras extracted may have been changed since: it must not be read.
        extracted = no_keras / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
        extracted.mkdir(parents=True)
        (extracted / "data_batch_1").write_bytes(b"no batch")
        summary = prepare(tmp_path / "out", None)
        dataset = data.load_arrays(tmp_path / "out")
        np.testing.assert_array_equal(dataset.train_images, TRAIN)
        np.testing.assert_array_equal(dataset.test_images, TEST)
        np.testing.assert_array_equal(dataset.train_labels, LABELS)
        assert (summary["source"], summary["encoding"], summary["lossy"]) == ("keras", "raw", False)
        # The real images: nothing stands in for them.
        assert summary["fallbacks"] == []

    def test_a_damaged_archive_is_never_opened(
        self, archive: bytes, no_keras: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        cached(no_keras).write_bytes(archive[:-10])
        monkeypatch.setattr(tarfile, "open", lambda **_: pytest.fail("opened though damaged"))
        with pytest.raises(UserError, match=r"target_archive is damaged.*CONVSTUDY_CIFAR10"):
            prepare(tmp_path / "out", None, source="keras")
        assert cached(no_keras).exists()

    @pytest.mark.parametrize("before", [None, b"half an arch"])
    def test_download_lands_in_the_cache(
        self,
        before: bytes | None,
        archive: bytes,
        no_keras: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ):
        if before:
            cached(no_keras).write_bytes(before)
        with serve(archive) as url:
            monkeypatch.setattr(data, "ARCHIVE_URL", url)
            summary = prepare(tmp_path / "out", None, source="real")
        assert summary["source"] == "keras"
        assert cached(no_keras).read_bytes() == archive
        assert list((no_keras / "datasets").iterdir()) == [cached(no_keras)]
        assert prepare(tmp_path / "again", None)["digest"] == summary["digest"]

    def test_a_changed_download_is_refused(
        self, archive: bytes, no_keras: Path, monkeypatch: pytest.MonkeyPatch
    ):
        with serve(archive + b" ") as url:
            monkeypatch.setattr(data, "ARCHIVE_URL", url)
            with pytest.raises(data.Unavailable, match="corrupted"):
                data.read_keras(timeout=2)
        assert not list((no_keras / "datasets").iterdir())

    def test_code_in_a_batch_is_not_run(self, tmp_path: Path):
        class Bomb:
            def __reduce__(self):
                return Path.touch, (tmp_path / "run",)

        content = pack({"test_batch": pickle.dumps(Bomb())})
        with pytest.raises(pickle.UnpicklingError, match="not allowed"):
            data._read_archive(content, "a test")
        assert not (tmp_path / "run").exists()

    def test_an_archive_that_cannot_be_read_is_named(
        self, archive: bytes, no_keras: Path, monkeypatch: pytest.MonkeyPatch
    ):
        cached(no_keras).write_bytes(archive)

        def denied(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "read_bytes", denied)
        with pytest.raises(
            data.Unavailable, match=r"target_archive cannot be read.*denied.*refused"
        ):
            data.read_keras(timeout=1)


class TestHanging:
    """Whatever hangs, the timeout ends it."""

    def check(self, reason: str, seconds: float) -> None:
        start = time.monotonic()
        with pytest.raises(data.Unavailable, match=reason):
            data.read_keras(timeout=0.5)
        assert time.monotonic() - start < seconds

    def test_a_silent_server(self, no_keras: Path, monkeypatch: pytest.MonkeyPatch):
        with socket.create_server(("127.0.0.1", 0)) as server:
            monkeypatch.setattr(
                data, "ARCHIVE_URL", f"http://127.0.0.1:{server.getsockname()[1]}/archive"
            )
            self.check("no answer in 0.5 s|timed out", seconds=3)

    def test_a_name_that_is_looked_up_forever(
        self, no_keras: Path, monkeypatch: pytest.MonkeyPatch
    ):
        release = threading.Event()

        def look_up(*_: object, **__: object) -> list:
            release.wait(30)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        self.check("no answer in 0.5 s", seconds=3)
        release.set()

    def test_a_download_that_stalls(
        self, archive: bytes, no_keras: Path, monkeypatch: pytest.MonkeyPatch
    ):
        import keras  # noqa: F401 - its import is not what is timed

        with serve(archive[:100], length=len(archive), stall=True) as url:
            monkeypatch.setattr(data, "ARCHIVE_URL", url)
            self.check("timed out", seconds=10)
        assert not list((no_keras / "datasets").iterdir())
        assert socket.getdefaulttimeout() is None


class TestFallback:
    def test_auto_ends_at_synthetic_images_and_says_why(
        self, no_keras: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ):
        with caplog.at_level(logging.WARNING, "convstudy"):
            summary = prepare(tmp_path, None, train_images=30, test_images=20)
        assert (summary["source"], summary["encoding"]) == ("synthetic", "procedural")
        assert summary["synthetic"]
        assert summary["used"] == {"train": 30, "validation": 0, "test": 20}
        assert [record.message for record in caplog.records] == summary["fallbacks"]
        folder, keras = summary["fallbacks"]
        assert "no folder is given" in folder
        assert "refused" in keras

    def test_an_empty_name_is_no_folder(self, no_keras: Path, tmp_path: Path):
        # As from CONVSTUDY_CIFAR10= in a shell.
        settings = SETTINGS | {"train_images": 10, "test_images": 10}
        assert data.prepare(settings, "", tmp_path)["source"] == "synthetic"

    def test_real_never_ends_at_synthetic_images(self, no_keras: Path, tmp_path: Path):
        with pytest.raises(UserError, match=r"no folder is given.*refused.*data\.directory"):
            prepare(tmp_path / "out", None, source="real")
        assert not (tmp_path / "out").exists()

    def test_directory_alone_needs_a_folder(self, tmp_path: Path):
        with pytest.raises(UserError, match=r"data\.source: directory.*no folder is given"):
            prepare(tmp_path, None, source="directory")


class TestLoading:
    @pytest.fixture
    def folder(self, parquet: Path, tmp_path: Path) -> Path:
        prepare(tmp_path / "out", parquet)
        return tmp_path / "out"

    @pytest.mark.parametrize(
        "name", ["train_images.npy", "train_labels.npy", "test_images.npy", "summary.json"]
    )
    @pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY\x01"])
    @pytest.mark.fault(
        "The prepared arrays vanish or are damaged",
        where="before a training",
        lost="nothing: the line says how they are made again",
    )
    def test_a_missing_or_damaged_file_is_named(
        self, name: str, content: bytes | None, folder: Path
    ):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        fix = "make the arrays again: snakemake --cores all --forcerun prepare_dataset"
        with pytest.raises(UserError, match=f"{name} cannot be read.*{fix}"):
            data.load_arrays(folder)

    def test_files_must_fit_together(self, folder: Path):
        shutil.copy(folder / "test_labels.npy", folder / "train_labels.npy")
        with pytest.raises(UserError, match=r"train labels of shape \(20,\).*\(40, 32, 32, 3\)"):
            data.load_arrays(folder)

    @pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
    def test_a_changed_byte_is_found(self, name: str, folder: Path):
        data.load_arrays(folder).verify()
        changed = np.load(folder / f"{name}.npy")
        changed.flat[-1] ^= 1
        np.save(folder / f"{name}.npy", changed)
        with pytest.raises(UserError, match=r"changed after they were written.*--forcerun"):
            data.load_arrays(folder).verify()

    def test_pixels_are_bytes(self, folder: Path):
        np.save(folder / "train_images.npy", pixels(40) / 255)
        with pytest.raises(UserError, match="float64, not uint8"):
            data.load_arrays(folder)


def test_real_data(real_data: Path, tmp_path: Path):
    summary = prepare(tmp_path, real_data, train_images=2000, test_images=500)
    dataset = data.load_arrays(tmp_path)
    assert summary["encoding"] in ("png", "jpeg")
    assert dataset.train_images.shape == (2000, 32, 32, 3)
    # 500 drawn from a set that need not be balanced itself.
    assert (np.abs(np.bincount(dataset.test_labels) - 50) < 15).all()
    # The mean of CIFAR-10's training pixels is 0.473 of white.
    assert dataset.train_images.mean() / 255 == pytest.approx(0.473, abs=0.02)
