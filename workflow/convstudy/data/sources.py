"""Where CIFAR-10 comes from: a folder, Keras, or made-up images."""

import hashlib
import io
import logging
import os
import pickle
import re
import socket
import tarfile
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# As they come.
SPLITS = ("train", "test")
# Images in the whole data set (Krizhevsky, 2009), equally many of each class.
OFFICIAL = {"train": 50_000, "test": 10_000}
SHAPE = (32, 32, 3)
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}

# The archive of keras.datasets.cifar10, its checksum there, and the names in its cache.
ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
ARCHIVE_NAME = "cifar-10-batches-py-target"


@dataclass(frozen=True)
class Source:
    """A whole data set, as read: arrays by split, where from, and how the images were encoded."""

    name: str
    origin: str
    encoding: str
    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]


class Unavailable(Exception):  # noqa: N818
    """A source that is not there, which is no mistake: another one may be."""


def find(settings: Mapping[str, Any], directory: str | None) -> tuple[Source, list[str]]:
    """Read the first source that is to be had; with synthetic images, say why it is no other.

    A folder that is given but damaged is an error; it is never passed over.
    """
    chosen = settings["source"]
    steps = {
        "directory": ["directory"],
        "keras": ["keras"],
        "synthetic": ["synthetic"],
        "real": ["directory", "keras"],
        "auto": ["directory", "keras", "synthetic"],
    }[chosen]
    passed_over: list[str] = []
    for step in steps:
        try:
            if step == "directory":
                return read_directory(directory), []
            if step == "keras":
                # The real images, of which no folder was asked for: nothing stands in.
                return read_keras(), []
            return make_synthetic(settings), passed_over
        except Unavailable as reason:
            passed_over.append(str(reason))
            logger.warning("%s", reason)
    raise UserError(
        f"data.source: {chosen}, but no images are to be had: {'; '.join(passed_over)}; set"
        " CONVSTUDY_CIFAR10 or data.directory to a folder of train-*.parquet and test-*.parquet,"
        " or data.source: synthetic to try the workflow without CIFAR-10"
    )


def read_directory(directory: str | None) -> Source:
    """Read Parquet files as the Hugging Face hub lays out ``uoft-cs/cifar10``.

    Raises:
        Unavailable: If no folder is given.
        UserError: If the folder or a file in it is not what it should be.
    """
    # An environment variable that is set to nothing gives an empty name.
    if not directory:
        raise Unavailable("no folder is given (data.directory and CONVSTUDY_CIFAR10 are empty)")
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; data.directory or CONVSTUDY_CIFAR10 must name one with"
            " train-*.parquet and test-*.parquet"
        )
    images, labels, encodings = {}, {}, set()
    for split in SPLITS:
        files = sorted(folder.glob(f"{split}-*.parquet"))
        if not files:
            raise UserError(
                f"{folder} has no {split}-*.parquet; data.directory or CONVSTUDY_CIFAR10 must name"
                " a folder with train-*.parquet and test-*.parquet"
            )
        _require_all_parts(files)
        read = [_read_parquet(file) for file in files]
        images[split] = np.concatenate([one[0] for one in read])
        labels[split] = np.concatenate([one[1] for one in read])
        encodings |= {one[2] for one in read}
        _require_official_counts(labels[split], split, str(folder))
    # One lossy file makes the whole lossy.
    encoding = "jpeg" if "jpeg" in encodings else "png"
    return Source("directory", f"the folder {folder.resolve().name}", encoding, images, labels)


def _require_all_parts(files: Sequence[Path]) -> None:
    """Refuse files named ``train-00000-of-00002.parquet`` of which some are not there."""
    totals = [re.search(r"-of-(\d+)$", file.stem) for file in files]
    for file, total in zip(files, totals, strict=True):
        if total and int(total[1]) != len(files):
            raise UserError(
                f"{file}: its name says that it is one of {int(total[1])} files, but"
                f" {file.parent} has {len(files)} like it; fetch all, and nothing else, anew"
            )


def _read_parquet(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Read images, labels and the encoding of one file, or say what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def wrong(what: str) -> UserError:
        return UserError(f"{path}: {what}; fetch the file again or set data.directory to another")

    try:
        if not path.stat().st_size:
            raise wrong("an empty file")
        # Files that hold checksums are checked against them.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            missing = [name for name in ("img", "label") if name not in names]
            if missing:
                raise wrong(f"no column {' and no column '.join(missing)}, only {', '.join(names)}")
            table = file.read(columns=["img", "label"])
        encoded = [image and image.get("bytes") for image in table.column("img").to_pylist()]
        labels = table.column("label").to_pylist()
    except AttributeError:
        raise wrong("the column img has no field bytes with encoded images") from None
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise wrong(f"damaged or no Parquet file ({first_line(error)})") from None
    if not labels:
        raise wrong("no rows")
    images = np.empty((len(labels), *SHAPE), np.uint8)
    encodings = set()
    for row, (image, label) in enumerate(zip(encoded, labels, strict=True)):
        if type(label) is not int or not 0 <= label < len(CLASS_NAMES):
            raise wrong(f"row {row} has the label {label!r}, not one of 0 to 9")
        try:
            images[row], encoding = _decode(image)
        except ValueError as error:
            raise wrong(f"row {row} has {error}") from None
        encodings.add(encoding)
    # One lossy image makes the whole lossy.
    return images, np.array(labels, np.uint8), "jpeg" if "jpeg" in encodings else "png"


def _decode(image: Any) -> tuple[np.ndarray, str]:
    """Decode one image of 32x32 RGB pixels, or raise ValueError with the reason."""
    from PIL import Image

    kinds = [
        kind
        for start, kind in SIGNATURES.items()
        if isinstance(image, bytes) and image.startswith(start)
    ]
    if not kinds:
        raise ValueError("no PNG or JPEG image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(image), formats=["PNG", "JPEG"])
        size, mode = opened.size, opened.mode
        # The size stands in the head: a huge image is refused before it is decoded.
        pixels = np.asarray(opened) if (*size, mode) == (*SHAPE[:2], "RGB") else None
    except Exception as error:
        # Decoders raise errors of many kinds on damaged bytes; all mean the same here.
        raise ValueError(f"an image that cannot be decoded ({first_line(error)})") from None
    if pixels is None:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels, {mode}, not 32x32 RGB")
    return pixels, kinds[0]


def first_line(error: BaseException) -> str:
    """Give the first line of an error, or else its type."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _require_official_counts(labels: np.ndarray, split: str, where: str) -> None:
    """Refuse more images than the official split has, and another mix of classes in all of it."""
    if len(labels) > OFFICIAL[split]:
        raise UserError(
            f"{where}: {len(labels)} {split} images in {split}-*.parquet, but CIFAR-10 has"
            f" {OFFICIAL[split]}; remove files that are there twice or in the wrong split"
        )
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    if len(labels) == OFFICIAL[split] and len(set(counts)) > 1:
        raise UserError(
            f"{where}: the {split} labels are not CIFAR-10's, which has {len(labels) // 10} a"
            f" class; found {', '.join(map(str, counts))}; fetch the files again"
        )


def make_synthetic(settings: Mapping[str, Any]) -> Source:
    """Draw synthetic images, as many as the settings ask for, or as CIFAR-10 has."""
    from convstudy.data import synthetic

    wanted = {split: settings[f"{split}_images"] or OFFICIAL[split] for split in SPLITS}
    if settings["train_images"] is not None:
        wanted["train"] += settings["validation_images"]
    made = {
        split: synthetic.make(wanted[split], [settings["seed"], number])
        for number, split in enumerate(SPLITS)
    }
    return Source(
        "synthetic",
        "a seeded generator of synthetic images (not CIFAR-10)",
        "procedural",
        {split: images for split, (images, _) in made.items()},
        {split: labels for split, (_, labels) in made.items()},
    )


def read_keras(timeout: float = 10.0) -> Source:
    """Read the archive that ``keras.datasets.cifar10`` uses, from its cache or by download.

    Nothing is unpickled before the archive's checksum is right; the folder that Keras extracts
    beside it, which anyone may have changed, is not read.

    Args:
        timeout: Seconds after which a server that says nothing is given up.

    Raises:
        Unavailable: If no whole archive is in the cache and it cannot be downloaded.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    cache = home / "datasets"
    damaged = ""
    # The names that Keras 3 and Keras 2 give it, and its own.
    for name in (f"{ARCHIVE_NAME}_archive", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz"):
        archive = cache / name
        if archive.is_file():
            try:
                return _read_archive(_checked(archive), "Keras's cache")
            except Unavailable as reason:
                damaged += f"{reason}; "
                logger.warning("%s: downloading it anew", reason)
    try:
        return _read_archive(_checked(_download(cache, timeout)), "Keras's download")
    except Unavailable as reason:
        raise Unavailable(f"{damaged}{reason}") from None


def _checked(archive: Path) -> bytes:
    """Read an archive into memory, so that what is unpickled is what was checked."""
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise Unavailable(f"{archive} cannot be read ({first_line(error)})") from None
    if hashlib.sha256(content).hexdigest() != ARCHIVE_SHA256:
        raise Unavailable(f"{archive} is damaged (its SHA-256 is not {ARCHIVE_SHA256[:12]}...)")
    return content


def _download(cache: Path, timeout: float) -> Path:
    """Download the archive through Keras into its cache, giving up when nothing arrives."""
    _require_answer(ARCHIVE_URL, timeout)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        import keras

        cache.mkdir(parents=True, exist_ok=True)
        # In a folder of its own, so that no half of an archive stands in the cache.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
            path = keras.utils.get_file(
                fname="archive",
                origin=ARCHIVE_URL,
                file_hash=ARCHIVE_SHA256,
                cache_dir=folder,
                cache_subdir="",
            )
            return Path(path).replace(cache / f"{ARCHIVE_NAME}_archive")
    except Exception as error:
        # Whatever goes wrong, the images are not to be had from here.
        raise Unavailable(f"Keras cannot download CIFAR-10 ({first_line(error)})") from None
    finally:
        socket.setdefaulttimeout(before)


def _require_answer(url: str, timeout: float) -> None:
    """Raise `Unavailable` unless a server answers in time, its name looked up included."""
    import urllib.request

    answers: list[str] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout):
                answers.append("")
        except Exception as error:
            answers.append(first_line(error).strip("<>"))

    # Looking up a name has no time limit of its own; a thread that hangs there is left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    problem = answers[0] if answers else f"no answer in {timeout:g} s"
    if problem:
        raise Unavailable(f"Keras's cache lacks CIFAR-10, and {url} does not give it ({problem})")


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles arrays, bytes, lists and dicts, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.split(".")[0], name) in {
            ("numpy", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _read_archive(content: bytes, origin: str) -> Source:
    """Read the batches of a checked archive without extracting it."""
    batches: dict[str, list[dict[bytes, Any]]] = {split: [] for split in SPLITS}
    with tarfile.open(fileobj=io.BytesIO(content)) as packed:
        for member in sorted(packed.getmembers(), key=lambda one: one.name):
            split = {"data_batch": "train", "test_batch": "test"}.get(
                Path(member.name).name.rstrip("_12345")
            )
            file = packed.extractfile(member) if split else None
            if split and file:
                batches[split].append(_PlainUnpickler(file, encoding="bytes").load())
    images = {
        split: np.concatenate([one[b"data"] for one in read])
        .reshape(-1, 3, *SHAPE[:2])
        .transpose(0, 2, 3, 1)
        for split, read in batches.items()
    }
    labels = {
        split: np.concatenate([one[b"labels"] for one in read]).astype(np.uint8)
        for split, read in batches.items()
    }
    return Source("keras", origin, "raw", images, labels)
