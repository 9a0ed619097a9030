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
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from convstudy.core.errors import UserError
from convstudy.core.files import read_json
from convstudy.data import sources
from helpers.images import DIGITS, IMAGE, JPEG, PNG, encoded, pixels, prepare, write_parquet
from PIL import Image


def test_arrays_are_the_encoded_pixels_in_order(parquet, out):
    summary, dataset = prepare(out, parquet)
    np.testing.assert_array_equal(dataset.train_images, pixels(40))
    np.testing.assert_array_equal(dataset.test_images, pixels(20, seed=1))
    np.testing.assert_array_equal(dataset.train_labels, DIGITS[:40])
    assert dataset.train_labels.dtype == dataset.train_images.dtype == np.uint8
    assert (summary["source"], summary["synthetic"]) == ("directory", False)
    assert (summary["encoding"], summary["lossy"]) == ("png", False)
    assert summary["available"] == {"train": 40, "test": 20}
    assert summary["used"] == {"train": 40, "validation": 0, "test": 20}
    assert summary["fallbacks"] == []
    assert read_json(out / "summary.json") == summary
    whole = pixels(40).tobytes() + DIGITS[:40].tobytes()
    whole += pixels(20, seed=1).tobytes() + DIGITS[:20].tobytes()
    assert summary["digest"] == dataset.digest == hashlib.sha256(whole).hexdigest()


def test_one_jpeg_makes_the_whole_lossy(parquet, out):
    write_parquet(parquet / "test-00000-of-00001.parquet", [PNG] * 9 + [JPEG], DIGITS[:10])
    summary, _ = prepare(out, parquet)
    assert (summary["encoding"], summary["lossy"]) == ("jpeg", True)


def test_parts_are_joined_in_order(parquet, out):
    (parquet / "train-00000-of-00001.parquet").unlink()
    for part in (1, 0):
        images = pixels(40)[20 * part : 20 * part + 20]
        path = parquet / f"train-0000{part}-of-00002.parquet"
        write_parquet(path, map(encoded, images), DIGITS[10 * part : 10 * part + 20])
    _, dataset = prepare(out, parquet)
    np.testing.assert_array_equal(dataset.train_images, pixels(40))
    assert list(dataset.train_labels) == [*DIGITS[:20], *DIGITS[10:30]]


@pytest.mark.parametrize(
    ("split", "labels", "message"),
    [
        ("train", [3] * 40, r"none of the 40 train images used has the label 0 \(airplane\), 1 "),
        ("test", [*range(9), 8], r"none of the 10 test images used has the label 9 \(truck\);"),
    ],
)
def test_a_missing_class_is_an_error(parquet, out, split, labels, message):
    images = pixels(len(labels), seed=2)
    path = parquet / f"{split}-00000-of-00001.parquet"
    write_parquet(path, map(encoded, images), np.array(labels, np.uint8))
    with pytest.raises(UserError, match=message):
        prepare(out, parquet)
    assert not out.exists()


def test_a_class_may_not_be_lost_when_images_are_drawn(parquet, out):
    labels = np.array([0] * 91 + [*range(1, 10)], np.uint8)
    path = parquet / "train-00000-of-00001.parquet"
    write_parquet(path, map(encoded, pixels(100)), labels)
    prepare(out, parquet)
    with pytest.raises(UserError, match=r"raise data\.train_images"):
        prepare(out, parquet, train_images=20)


def test_duplicates_are_counted_by_their_pixels(parquet, out, caplog):
    train, test = pixels(40), pixels(20, seed=1)
    train[1] = train[0]
    test[:3] = train[:3]
    for split, images in (("train", train), ("test", test)):
        path = parquet / f"{split}-00000-of-00001.parquet"
        # The same pixels in other bytes.
        encode = encoded if split == "train" else uncompressed
        write_parquet(path, map(encode, images), DIGITS[: len(images)])
    with caplog.at_level(logging.WARNING, "convstudy"):
        summary, _ = prepare(out, parquet)
    assert summary["duplicates"] == {"train": 1, "test": 1, "test_in_train": 3}
    [record] = caplog.records
    assert "1 within the training images, 1 within the test images, and 3 of 20" in record.message


def uncompressed(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=0)
    return file.getvalue()


def test_images_without_duplicates_are_said_to_have_none(parquet, out, caplog):
    with caplog.at_level(logging.WARNING, "convstudy"):
        summary, _ = prepare(out, parquet)
    assert set(summary["duplicates"].values()) == {0}
    assert not caplog.records


def test_test_images_that_are_all_training_images_are_an_error(parquet, out):
    shutil.copy(parquet / "train-00000-of-00001.parquet", parquet / "test-00000-of-00001.parquet")
    with pytest.raises(UserError, match="all 40 test images are also training images"):
        prepare(out, parquet)
    assert not out.exists()


def huge():
    """Return a PNG whose header claims 60,000 x 60,000 pixels, 10 GB once decoded."""
    image = bytearray(PNG)
    image[16:24] = (60_000).to_bytes(4, "big") * 2
    image[29:33] = zlib.crc32(image[12:29]).to_bytes(4, "big")
    return bytes(image)


def link_to_nothing(path):
    """Leave a dangling link, as in a partly cleared cache of the Hugging Face hub."""
    path.unlink()
    path.symlink_to(path.with_name("blob"))


def twice_the_column(path):
    images, labels = pq.read_table(path).columns
    pq.write_table(pa.Table.from_arrays([images, images, labels], ["img", "img", "label"]), path)


def twice_the_file(path):
    shutil.copy(path, path.with_name("test-copy.parquet"))
    path.rename(path.with_name("test-first.parquet"))


def another_mix(path):
    write_parquet(path, map(encoded, pixels(20)), [5, *range(1, 10), *range(10)])


def assert_refused(parquet, out, message):
    # "auto" must not skip a folder that was given.
    with pytest.raises(UserError, match=message) as caught:
        prepare(out, parquet)
    assert "\n" not in str(caught.value)
    assert str(parquet) in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path.parent), "CONVSTUDY_CIFAR10: .*parquet is not a folder"),
        (Path.unlink, r"no test-\*\.parquet"),
        (lambda path: path.rename(path.with_name("test-00-of-02.parquet")), "one of 2 files"),
        (link_to_nothing, "a link to .*blob, which is not there"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged or not a Parquet file"),
        (
            lambda path: path.write_bytes(b"PAR1" + bytes(36) + path.read_bytes()[40:]),
            "damaged or not a Parquet file",
        ),
        (
            lambda path: path.write_text(
                "version https://git-lfs.github.com/spec/v1\noid sha256:1"
            ),
            "a pointer of git-lfs, not the file .git lfs pull",
        ),
        (lambda path: path.write_text("<html>Not found</html>"), "damaged or not a Parquet file"),
        (
            lambda path: pq.write_table(pa.table({"img": [{"bytes": PNG}]}), path),
            "no column label, only img",
        ),
        (twice_the_column, "damaged or not a Parquet file .*exists 2 times"),
        (
            lambda path: pq.write_table(pa.table({"img": [PNG], "label": [1]}), path),
            "no field bytes",
        ),
        (twice_the_file, "40 test images, but CIFAR-10 has 20; remove duplicate files"),
        (another_mix, r"has 2 per class; found 1, 2, 2, 2, 2, 3, 2, 2, 2, 2;"),
    ],
)
def test_a_damaged_folder_is_one_line_that_names_it(
    parquet, out, no_keras, monkeypatch, damage, message
):
    monkeypatch.setattr(sources, "OFFICIAL", {"train": 40, "test": 20})
    damage(parquet / "test-00000-of-00001.parquet")
    assert_refused(parquet, out, message)


NOT_DECODED = "row 1 has an image that cannot be decoded"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ([], pa.array([], pa.int64()), "the file has no rows"),
        ([PNG] * 3, [9, 10, 0], "row 1 has the label 10, not one of 0 to 9"),
        ([PNG] * 3, ["cat", "dog", "cat"], "row 0 has the label 'cat'"),
        ([PNG, None], [0, 1], "row 1 has no PNG or JPEG"),
        ([PNG, b"GIF89a"], [0, 1], "row 1 has no PNG or JPEG"),
        ([PNG, PNG[:900]], [0, 1], NOT_DECODED),
        ([PNG, JPEG[:900]], [0, 1], f"{NOT_DECODED} .*truncated"),
        ([PNG, huge()], [0, 1], f"{NOT_DECODED} .*exceeds limit"),
        ([PNG, encoded(IMAGE[:16])], [0, 1], "an image of 32x16 pixels, RGB"),
        ([PNG, encoded(IMAGE, mode="L")], [0, 1], "an image of 32x32 pixels, L"),
    ],
)
def test_a_wrong_row_is_one_line_that_names_it(parquet, out, no_keras, images, labels, message):
    write_parquet(parquet / "test-00000-of-00001.parquet", images, labels)
    assert_refused(parquet, out, message)


def batch(images, labels):
    """Pickle a batch like the official ones: channels first, keys as bytes, protocol 2."""
    flat = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)
    content = {b"data": flat, b"labels": labels.tolist(), b"batch_label": b"a batch"}
    # The official batches were written before NumPy 2 renamed its core.
    return pickle.dumps(content, protocol=2).replace(b"numpy._core", b"numpy.core")


TRAIN, TEST = pixels(50, seed=2), pixels(10, seed=3)


@pytest.fixture
def pack(no_keras, monkeypatch):
    """Return a function that packs files into an archive and makes it the official one."""

    def pack(members):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as packed:
            for name, content in members.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        monkeypatch.setattr(sources, "ARCHIVE_SHA256", digest)
        return file.getvalue()

    return pack


@pytest.fixture
def members():
    """Return the files of an archive like the official one, of 50 training and 10 test images."""
    members = {"test_batch": batch(TEST, DIGITS[:10]), "batches.meta": b"", "readme.html": b""}
    for number in (3, 1, 5, 2, 4):
        part = slice(10 * number - 10, 10 * number)
        members[f"data_batch_{number}"] = batch(TRAIN[part], DIGITS[part])
    return members


@pytest.fixture
def archive(members, pack):
    return pack(members)


@pytest.fixture
def cached(no_keras):
    """Return the path of the archive in Keras's cache."""
    path = no_keras / "datasets" / "cifar-10-batches-py-target_archive"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def serve(monkeypatch):
    """Return a function that serves an archive, optionally with a wrong length or a stall."""
    release = threading.Event()
    servers = []

    def serve(content, length=None, stall=False):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", str(length or len(content)))
                self.end_headers()

            def do_GET(self):
                self.do_HEAD()
                self.wfile.write(content)
                self.wfile.flush()
                if stall:
                    release.wait(30)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(
            sources, "ARCHIVE_URL", f"http://127.0.0.1:{server.server_port}/archive"
        )

    yield serve
    release.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def hub_cache(folder, commit="c0ffee"):
    """Lay Parquet files out like the hub's cache, and return the folder of a snapshot."""
    blobs, snapshot = folder / "blobs", folder / "snapshots" / commit
    (snapshot / "plain_text").mkdir(parents=True)
    blobs.mkdir(exist_ok=True)
    for split, images in (("train", TRAIN), ("test", TEST)):
        labels = DIGITS[: len(images)]
        write_parquet(blobs / split, map(encoded, images), labels)
        link = snapshot / f"plain_text/{split}-00000-of-00001.parquet"
        link.symlink_to(f"../../../blobs/{split}")
    return snapshot


@pytest.fixture
def extracted(members, tmp_path):
    """Return the folder into which torchvision extracted the batches."""
    folder = tmp_path / "root/cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    return folder


def test_folders_are_read_as_others_leave_them(extracted, tmp_path, no_keras):
    hub = tmp_path / "datasets--uoft-cs--cifar10"
    snapshot = hub_cache(hub)
    keras = tmp_path / "datasets/cifar-10-batches-py-target"
    shutil.copytree(extracted.parent, keras)
    found = {}
    for folder in (
        hub,
        snapshot,
        snapshot / "plain_text",
        extracted,
        extracted.parent,
        keras.parent,
    ):
        summary, dataset = prepare(tmp_path / "out" / folder.name, folder, source="directory")
        np.testing.assert_array_equal(dataset.train_images, TRAIN)
        np.testing.assert_array_equal(dataset.test_labels, DIGITS[:10])
        found[folder.name] = summary["digest"], summary["encoding"], summary["lossy"]
    digest = found["plain_text"][0]
    assert found == {
        **dict.fromkeys([hub.name, "c0ffee", "plain_text"], (digest, "png", False)),
        **dict.fromkeys(["cifar-10-batches-py", "root", "datasets"], (digest, "raw", False)),
    }


@pytest.mark.fault(
    "The folder's CIFAR-10 is incomplete, damaged, an archive or of another form",
    where="in batches that torchvision or Keras extracted",
    lost="nothing: a one-line message",
)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "data_batch_3").unlink(),
            "has only data_batch_1, data_batch_2, ",
        ),
        (lambda folder: (folder / "data_batch_3").write_bytes(b"no"), "data_batch_3: damaged or "),
        (
            lambda folder: (folder / "data_batch_3").write_bytes(batch(TEST, DIGITS[:10] + 1)),
            "data_batch_3: .*each with a label of 0 to 9",
        ),
        (
            lambda folder: (folder / "test_batch").rename(folder / "data_batch_1.bin"),
            "has data_batch_1.bin, the version for C, which is not read; name the folder cifar-10-",
        ),
        (
            lambda folder: (folder / "test_batch").rename(folder / "cifar-10-python.tar.gz"),
            "an archive, which is not read; extract it: tar -xzf",
        ),
        (
            lambda folder: (folder / "test_batch").unlink(),
            "allowed is CIFAR-10 as the Hugging Face",
        ),
    ],
)
def test_extracted_batches_that_cannot_be_read(extracted, out, no_keras, change, message):
    change(extracted)
    assert_refused(extracted, out, message)


def test_one_of_several_snapshots_must_be_named(tmp_path, out, no_keras):
    hub = tmp_path / "datasets--uoft-cs--cifar10"
    hub_cache(hub, "a1")
    hub_cache(hub, "b2")
    assert_refused(hub, out, "has CIFAR-10 2 times; name one of .*/a1/plain_text, .*/b2/plain_text")


def test_a_cached_archive_is_read_without_its_folder(archive, cached, out):
    cached.write_bytes(archive)
    # The extracted files may have been changed since, so they must not be read.
    extracted = cached.parent / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    extracted.mkdir(parents=True)
    (extracted / "data_batch_1").write_bytes(b"no batch")
    summary, dataset = prepare(out, None)
    np.testing.assert_array_equal(dataset.train_images, TRAIN)
    np.testing.assert_array_equal(dataset.test_images, TEST)
    np.testing.assert_array_equal(dataset.train_labels, DIGITS)
    assert (summary["source"], summary["encoding"], summary["lossy"]) == ("keras", "raw", False)
    # These are the real images, so no fallback was used.
    assert summary["fallbacks"] == []


def test_a_damaged_archive_is_never_opened(archive, cached, out, monkeypatch):
    cached.write_bytes(archive[:-10])
    monkeypatch.setattr(tarfile, "open", lambda **_: pytest.fail("opened though damaged"))
    with pytest.raises(UserError, match=r"target_archive is damaged.*CONVSTUDY_CIFAR10"):
        prepare(out, None, source="keras")
    assert cached.exists()


@pytest.mark.parametrize("before", [None, b"half an arch"])
def test_a_download_lands_in_the_cache(before, archive, cached, serve, tmp_path):
    if before:
        cached.write_bytes(before)
    serve(archive)
    summary, _ = prepare(tmp_path / "out", None, source="real")
    assert summary["source"] == "keras"
    assert cached.read_bytes() == archive
    assert list(cached.parent.iterdir()) == [cached]
    assert prepare(tmp_path / "again", None)[0]["digest"] == summary["digest"]


def test_a_changed_download_is_refused(archive, no_keras, serve):
    serve(archive + b" ")
    with pytest.raises(sources.Unavailable, match="corrupted"):
        sources.read_keras(timeout=2)
    assert not list((no_keras / "datasets").iterdir())


def test_code_in_a_batch_is_not_run(pack, cached, extracted, out, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    cached.write_bytes(pack({"test_batch": pickle.dumps(Bomb())}))
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        sources.read_keras()
    (extracted / "test_batch").write_bytes(pickle.dumps(Bomb()))
    assert_refused(extracted, out, "test_batch: damaged .*is not allowed")
    assert not (tmp_path / "run").exists()


def test_an_archive_that_cannot_be_read_is_named(archive, cached, monkeypatch):
    cached.write_bytes(archive)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(
        sources.Unavailable, match=r"target_archive cannot be read.*denied.*refused"
    ):
        sources.read_keras(timeout=1)


def assert_given_up(reason, seconds):
    """Check that the timeout ends a hanging download."""
    start = time.monotonic()
    with pytest.raises(sources.Unavailable, match=reason):
        sources.read_keras(timeout=0.5)
    assert time.monotonic() - start < seconds


def test_a_silent_server_is_given_up(no_keras, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(sources, "ARCHIVE_URL", f"http://127.0.0.1:{port}/archive")
        assert_given_up("no answer in 0.5 s|timed out", seconds=3)


def test_a_name_that_is_looked_up_forever_is_given_up(no_keras, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    assert_given_up("no answer in 0.5 s", seconds=3)
    release.set()


def test_a_download_that_stalls_is_given_up(archive, no_keras, serve):
    import keras  # noqa: F401 - imported here so that its import is not timed

    serve(archive[:100], length=len(archive), stall=True)
    assert_given_up("timed out", seconds=10)
    assert not list((no_keras / "datasets").iterdir())
    assert socket.getdefaulttimeout() is None


# CONVSTUDY_CIFAR10= in a shell sets the variable to an empty string, which names no folder.
@pytest.mark.parametrize("directory", [None, ""])
def test_auto_ends_at_synthetic_images_and_says_why(no_keras, out, caplog, directory):
    with caplog.at_level(logging.WARNING, "convstudy"):
        summary, _ = prepare(out, directory, train_images=30, test_images=20)
    assert (summary["source"], summary["encoding"]) == ("synthetic", "procedural")
    assert summary["synthetic"]
    assert summary["used"] == {"train": 30, "validation": 0, "test": 20}
    assert [record.message for record in caplog.records] == summary["fallbacks"]
    folder, keras = summary["fallbacks"]
    assert "no folder is given" in folder
    assert "refused" in keras


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("real", r"no folder is given.*refused.*data\.directory"),
        ("directory", r"data\.source: directory.*no folder is given"),
    ],
)
def test_real_images_are_never_replaced_by_synthetic_ones(no_keras, out, source, message):
    with pytest.raises(UserError, match=message):
        prepare(out, None, source=source)
    assert not out.exists()


def test_real_data(real_data, out):
    summary, dataset = prepare(out, real_data, train_images=2000, test_images=500)
    assert summary["encoding"] in ("png", "jpeg")
    assert dataset.train_images.shape == (2000, 32, 32, 3)
    # The 500 are drawn from a set that may itself be unbalanced.
    assert (np.abs(np.bincount(dataset.test_labels) - 50) < 15).all()
    # The mean of CIFAR-10's training pixels is 0.473 of white.
    assert dataset.train_images.mean() / 255 == pytest.approx(0.473, abs=0.02)
