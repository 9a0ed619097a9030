"""CIFAR-10 from where it is to be had, checked, as arrays with a digest."""

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

from convstudy.errors import UserError
from convstudy.files import read_json, replacing, write_json, write_text

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
# As they come, and as they are used: validation images are held out from those for training.
SPLITS = ("train", "test")
USED_SPLITS = ("train", "validation", "test")
# Images in the whole data set (Krizhevsky, 2009), equally many of each class.
OFFICIAL = {"train": 50_000, "test": 10_000}
SHAPE = (32, 32, 3)
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}

# The archive of keras.datasets.cifar10, its checksum there, and the names in its cache.
ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
ARCHIVE_NAME = "cifar-10-batches-py-target"


@dataclass(frozen=True)
class Dataset:
    """Images and labels, memory-mapped where they come from files.

    Attributes:
        train_images, validation_images, test_images: (images, 32, 32, 3) of uint8. Validation
            images are held out from the official training images; there may be none.
        train_labels, validation_labels, test_labels: (images,) of uint8.
        digest: SHA-256 over the bytes of the arrays, one after another: training images, training
            labels, test images, test labels, validation images, validation labels. A byte a channel
            or label, and the last axis runs fastest: image, Y, X, channel (red, green, blue).
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    digest: str

    def verify(self) -> None:
        """Hash the arrays again, which reads all of them.

        Raises:
            UserError: If they are not those that the digest was made of.
        """
        found = digest(vars(self))
        if found != self.digest:
            raise _not_as_prepared(
                f"the arrays' SHA-256 is {found[:12]}..., but the summary says"
                f" {self.digest[:12]}...: they were changed after they were written"
            )


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


def _not_as_prepared(what: str) -> UserError:
    return UserError(
        f"{what}; make the arrays again: snakemake --cores all --forcerun prepare_dataset"
    )


def load_arrays(folder: Path) -> Dataset:
    """Open what `prepare` wrote, without reading the images into memory.

    Raises:
        UserError: If a file is missing, damaged, or does not fit the others.
    """
    arrays = {}
    for split in USED_SPLITS:
        for what in ("images", "labels"):
            path = folder / f"{split}_{what}.npy"
            try:
                arrays[f"{split}_{what}"] = np.load(path, mmap_mode="r", allow_pickle=False)
            except Exception as error:
                # NumPy reads a damaged head as Python, which fails in many ways.
                raise _not_as_prepared(f"{path} cannot be read ({_first_line(error)})") from None
            if arrays[f"{split}_{what}"].dtype != np.uint8:
                raise _not_as_prepared(f"{path} has {arrays[f'{split}_{what}'].dtype}, not uint8")
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if labels.ndim != 1 or images.shape != (len(labels), *SHAPE):
            raise _not_as_prepared(
                f"{folder} has {split} labels of shape {labels.shape} for images of shape"
                f" {images.shape}"
            )
    path = folder / "summary.json"
    try:
        return Dataset(**arrays, digest=read_json(path)["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not_as_prepared(f"{path} cannot be read ({_first_line(error)})") from None


def prepare(settings: Mapping[str, Any], directory: str | None, folder: Path) -> dict[str, Any]:
    """Read the data set, draw the subset and write arrays, counts and a summary.

    Args:
        directory: Folder of Parquet files, if one is given.
        folder: Where the arrays go; ``summary.json`` is written last.

    Returns:
        The summary.

    Raises:
        UserError: If no source is to be had, a file is damaged, or a subset is larger than the data
            set.
    """
    source, fallbacks = find(settings, directory)
    used, counts = {}, ["split,label,name,images"]
    for split, chosen in draw(source, settings).items():
        official = "test" if split == "test" else "train"
        used[f"{split}_images"] = source.images[official][chosen]
        used[f"{split}_labels"] = source.labels[official][chosen]
        for label, name in enumerate(CLASS_NAMES if len(chosen) else ()):
            number = int((used[f"{split}_labels"] == label).sum())
            counts.append(f"{split},{label},{name},{number}")
    summary = {
        "source": source.name,
        "origin": source.origin,
        "encoding": source.encoding,
        "lossy": source.encoding == "jpeg",
        "synthetic": source.name == "synthetic",
        "fallbacks": fallbacks,
        "available": {split: len(source.labels[split]) for split in SPLITS},
        "used": {split: len(used[f"{split}_labels"]) for split in USED_SPLITS},
        "seed": settings["seed"],
        "digest": digest(used),
    }
    # Until all is written, no summary says that the arrays are whole.
    (folder / "summary.json").unlink(missing_ok=True)
    for name, array in used.items():
        with replacing(folder / f"{name}.npy") as temporary:
            np.save(temporary, array)
    write_text(folder / "classes.csv", "\n".join([*counts, ""]))
    write_json(folder / "summary.json", summary)
    logger.info(
        "%d training, %d validation and %d test images from %s%s",
        *summary["used"].values(),
        source.origin,
        ", stored with losses (JPEG)" if summary["lossy"] else "",
    )
    return summary


def draw(source: Source, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Draw the images that are used, equal shares of the classes.

    Returns:
        Positions for each of `USED_SPLITS`, ascending; those for training and validation are of the
        official training images, and no image is in both.

    Raises:
        UserError: If there are fewer images than are asked for.
    """
    wanted = {split: settings[f"{split}_images"] for split in USED_SPLITS}
    for split in SPLITS:
        held_out = wanted["validation"] if split == "train" else 0
        most = len(source.labels[split]) - held_out
        if wanted[split] is None:
            wanted[split] = most
        if not 0 < wanted[split] <= most:
            beside = f" beside {held_out} for validation" if held_out else ""
            raise UserError(
                f"data.{split}_images: {settings[f'{split}_images']}, but {source.origin} has"
                f" {most} {split} images{beside}; write at most {most}, or null for all"
            )
    labels = source.labels["train"]
    train = stratified(labels, wanted["train"], [settings["seed"], 0])
    others = np.setdiff1d(np.arange(len(labels)), train)
    held = stratified(labels[others], wanted["validation"], [settings["seed"], 2])
    return {
        "train": train,
        "validation": others[held],
        "test": stratified(source.labels["test"], wanted["test"], [settings["seed"], 1]),
    }


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


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash images and labels: SHA-256 of their bytes, in the order that `Dataset` gives."""
    hashed = hashlib.sha256()
    for split in ("train", "test", "validation"):
        for what in ("images", "labels"):
            array = np.ascontiguousarray(arrays[f"{split}_{what}"], dtype=np.uint8)
            hashed.update(array.tobytes())
    return hashed.hexdigest()


def stratified(labels: np.ndarray, wanted: int | None, seed: Any) -> np.ndarray:
    """Draw a subset in which each class has its share, rounded by largest remainder.

    Args:
        labels: (images,) of int.
        wanted: Number of images; None for all.

    Returns:
        Positions, ascending.
    """
    if wanted is None or wanted == len(labels):
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * wanted / len(labels)
    takes = np.floor(shares).astype(int)
    for largest in np.argsort(-(shares - takes), kind="stable")[: wanted - takes.sum()]:
        takes[largest] += 1
    chosen = [
        rng.choice(np.flatnonzero(labels == label), take, replace=False)
        for label, take in zip(classes, takes, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


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
        raise wrong(f"damaged or no Parquet file ({_first_line(error)})") from None
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
        raise ValueError(f"an image that cannot be decoded ({_first_line(error)})") from None
    if pixels is None:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels, {mode}, not 32x32 RGB")
    return pixels, kinds[0]


def _first_line(error: BaseException) -> str:
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
    from convstudy import synthetic

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
        raise Unavailable(f"{archive} cannot be read ({_first_line(error)})") from None
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
        raise Unavailable(f"Keras cannot download CIFAR-10 ({_first_line(error)})") from None
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
            answers.append(_first_line(error).strip("<>"))

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
