"""Sources of images: CIFAR-10 from a folder or Keras, a synthetic replacement, or one's own."""

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convstudy.core import libraries
from convstudy.core.errors import UserError
from convstudy.data.settings import FOLDER_VARIABLE, OWN, find_files
from convstudy.layers.networks import INPUT_SHAPE

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
# The official splits.
SPLITS = ("train", "test")
# Images in the full data set (Krizhevsky, 2009), equally many per class.
OFFICIAL = {"train": 50_000, "test": 10_000}
# How the text begins that git-lfs leaves in place of a file.
POINTER = b"version https://git-lfs"
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}

# The archive of keras.datasets.cifar10, with its checksum and its name in Keras's cache.
ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
ARCHIVE_NAME = "cifar-10-batches-py-target"


@dataclass(frozen=True)
class Source:
    """A full data set: arrays by split, where they come from, and how images were encoded.

    Attributes:
        classes: Their names, by label.
        notes: What to say of how the images were read.
    """

    name: str
    origin: str
    encoding: str
    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    classes: tuple[str, ...] = CLASS_NAMES
    notes: tuple[str, ...] = ()

    @property
    def lossy(self) -> bool:
        """Whether any image was stored with losses."""
        return bool({"jpeg", "webp"} & set(self.encoding.split(", ")))


class Unavailable(Exception):  # noqa: N818
    """Raised if a source is not available; this is not an error, since another one may be."""


def find(settings: Mapping[str, Any], directory: str | None) -> tuple[Source, list[str]]:
    """Read the first available source; for synthetic images, also return why others were skipped.

    A folder that is given but damaged is an error; it is never skipped.
    """
    chosen = settings["source"]
    if chosen == OWN:
        # Its readers need this module.
        from convstudy.data import own

        path = Path(str(directory))
        return own.read(path, **{key: settings[key] for key in own.SETTINGS}), []
    steps = {
        "directory": ["directory"],
        "keras": ["keras"],
        "synthetic": ["synthetic"],
        "real": ["directory", "keras"],
        "auto": ["directory", "keras", "synthetic"],
    }[chosen]
    skipped: list[str] = []
    for step in steps:
        try:
            if step == "directory":
                return read_directory(directory), []
            if step == "keras":
                # These are the real images, so no fallback was used.
                return read_keras(), []
            return make_synthetic(settings), skipped
        except Unavailable as reason:
            skipped.append(str(reason))
            logger.warning("%s", reason)
    raise UserError(
        f"data.source: {chosen}, but no image source is available: {'; '.join(skipped)}; set"
        f" {FOLDER_VARIABLE} or data.directory to a folder with CIFAR-10, or data.source: synthetic"
        " to try the workflow without it"
    )


def read_directory(directory: str | None) -> Source:
    """Read CIFAR-10 from a folder.

    Raises:
        Unavailable: If no folder is given.
        UserError: If the folder or a file in it is missing, incomplete or damaged.
    """
    # An environment variable may be set to an empty string.
    if not directory:
        raise Unavailable("no folder is given (data.directory and CONVSTUDY_CIFAR10 are empty)")
    folder = Path(directory).expanduser()
    try:
        files = find_files(folder)
    except UserError as error:
        raise UserError(f"data.directory or {FOLDER_VARIABLE}: {error}") from None
    read = _read_parquets if files["test"][0].suffix == ".parquet" else _read_batches
    source = read(files, f"the folder {folder.resolve().name}")
    for split in SPLITS:
        _require_official_counts(source.labels[split], split, str(folder))
    return source


def _read_parquets(files: Mapping[str, Sequence[Path]], origin: str) -> Source:
    """Read the Parquet files of the Hugging Face hub."""
    images, labels, encodings = {}, {}, set()
    for split in SPLITS:
        require_all_parts(files[split])
        parts = [_read_parquet(file) for file in files[split]]
        images[split] = np.concatenate([part[0] for part in parts])
        labels[split] = np.concatenate([part[1] for part in parts])
        encodings |= {part[2] for part in parts}
    # One lossy file makes the data set lossy.
    encoding = "jpeg" if "jpeg" in encodings else "png"
    return Source("directory", origin, encoding, images, labels)


def _read_batches(files: Mapping[str, Sequence[Path]], origin: str) -> Source:
    """Read the batches that torchvision or Keras extracted."""
    batches: dict[str, list[dict[bytes, Any]]] = {split: [] for split in SPLITS}
    if len(files["train"]) < 5:
        there = ", ".join(path.name for path in files["train"])
        raise UserError(f"{files['train'][0].parent} has only {there}; extract the archive again")
    for split, paths in files.items():
        for path in paths:
            with path.open("rb") as file:
                try:
                    batch = _PlainUnpickler(file, encoding="bytes").load()
                    _stacked([batch])
                except Exception as error:
                    # Unpickling damaged bytes fails in many ways.
                    what = f"damaged or not a batch of CIFAR-10 ({first_line(error)})"
                    raise UserError(f"{path}: {what}; extract the archive again") from None
            batches[split].append(batch)
    return _from_batches("directory", origin, batches)


def require_all_parts(files: Sequence[Path]) -> None:
    """Raise an error if files named like ``train-00000-of-00002.parquet`` are incomplete."""
    totals = [re.search(r"-of-(\d+)$", file.stem) for file in files]
    for file, total in zip(files, totals, strict=True):
        if total and int(total[1]) != len(files):
            raise UserError(
                f"{file}: its name says that it is one of {int(total[1])} files, but"
                f" {file.parent} has {len(files)}; fetch all files again and remove any others"
            )


def wrong(path: Path, what: str) -> UserError:
    """Return an error about a Parquet file."""
    return UserError(f"{path}: {what}; fetch the file again or set data.directory to another")


def read_rows(
    path: Path, columns: Callable[[Any], tuple[str, str]]
) -> tuple[list[Any], list[Any], Any]:
    """Read the images and the labels of a Parquet file.

    Args:
        path: The file.
        columns: Returns the columns of images and labels, from the file's schema.

    Returns:
        Encoded images, labels, and the schema.

    Raises:
        UserError: If the file is damaged, or has no encoded images.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.is_symlink() and not path.exists():
            raise wrong(path, f"a link to {os.readlink(path)}, which is not there")
        with path.open("rb") as start:
            if start.read(len(POINTER)) == POINTER:
                raise wrong(path, "a pointer of git-lfs, not the file (git lfs pull fetches it)")
        if not path.stat().st_size:
            raise wrong(path, "the file is empty")
        # Files that hold checksums are checked against them.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            image, label = columns(schema)
            table = file.read(columns=[image, label])
        encoded = [image and image.get("bytes") for image in table.column(image).to_pylist()]
        labels = table.column(label).to_pylist()
    except AttributeError:
        what = f"the column {image} has no field bytes with encoded images"
        raise wrong(path, what) from None
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise wrong(path, f"damaged or not a Parquet file ({first_line(error)})") from None
    if not labels:
        raise wrong(path, "the file has no rows")
    return encoded, labels, schema


def _read_parquet(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Read images, labels and the encoding of one file of CIFAR-10.

    Raises:
        UserError: If the file is damaged or not as expected.
    """

    def columns(schema: Any) -> tuple[str, str]:
        missing = [name for name in ("img", "label") if name not in schema.names]
        if missing:
            there = ", ".join(schema.names)
            raise wrong(path, f"no column {' and no column '.join(missing)}, only {there}")
        return "img", "label"

    encoded, labels, _ = read_rows(path, columns)
    images = np.empty((len(labels), *INPUT_SHAPE), np.uint8)
    encodings = set()
    for row, (image, label) in enumerate(zip(encoded, labels, strict=True)):
        if type(label) is not int or not 0 <= label < len(CLASS_NAMES):
            raise wrong(path, f"row {row} has the label {label!r}, not one of 0 to 9")
        try:
            images[row], encoding = _decode(image)
        except ValueError as error:
            raise wrong(path, f"row {row} has {error}") from None
        encodings.add(encoding)
    # One lossy image makes the file lossy.
    return images, np.array(labels, np.uint8), "jpeg" if "jpeg" in encodings else "png"


def _decode(image: Any) -> tuple[np.ndarray, str]:
    """Decode an image of 32x32 RGB pixels; raise ValueError with the reason if that fails."""
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
        # The size is read from the header, so a huge image is rejected before it is decoded.
        pixels = np.asarray(opened) if (*size, mode) == (*INPUT_SHAPE[:2], "RGB") else None
    except Exception as error:
        # Decoders raise many kinds of errors on damaged bytes.
        raise ValueError(f"an image that cannot be decoded ({first_line(error)})") from None
    if pixels is None:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels, {mode}, not 32x32 RGB")
    return pixels, kinds[0]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if there is none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _require_official_counts(labels: np.ndarray, split: str, where: str) -> None:
    """Raise an error if there are too many images, or if a full split has unbalanced classes."""
    if len(labels) > OFFICIAL[split]:
        raise UserError(
            f"{where}: {len(labels)} {split} images, but CIFAR-10 has"
            f" {OFFICIAL[split]}; remove duplicate files and files in the wrong split"
        )
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    if len(labels) == OFFICIAL[split] and len(set(counts)) > 1:
        raise UserError(
            f"{where}: the {split} labels are not CIFAR-10's, which has {len(labels) // 10} per"
            f" class; found {', '.join(map(str, counts))}; fetch the files again"
        )


def make_synthetic(settings: Mapping[str, Any]) -> Source:
    """Generate as many synthetic images as the settings request, or as CIFAR-10 has."""
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

    The archive's checksum is verified before anything is unpickled; the folder that Keras extracts
    next to it may have been changed, so it is not read.

    Args:
        timeout: Seconds to wait for a silent server.

    Raises:
        Unavailable: If the cache has no intact archive and it cannot be downloaded.
    """
    damaged = ""
    for archive in cached_archives():
        try:
            return _read_archive(_checked(archive), "Keras's cache")
        except Unavailable as reason:
            damaged += f"{reason}; "
            logger.warning("%s: downloading it again", reason)
    try:
        return _read_archive(_checked(_download(_keras_cache(), timeout)), "Keras's download")
    except Unavailable as reason:
        raise Unavailable(f"{damaged}{reason}") from None


def _keras_cache() -> Path:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    return home / "datasets"


def cached_archives() -> list[Path]:
    """List the archives of CIFAR-10 in Keras's cache, which may be damaged."""
    # The names in Keras 3 and Keras 2, and the original one.
    names = (f"{ARCHIVE_NAME}_archive", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz")
    return [path for path in map(_keras_cache().joinpath, names) if path.is_file()]


def _checked(archive: Path) -> bytes:
    """Read an archive into memory and verify its checksum, so that no unchecked byte is used."""
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise Unavailable(f"{archive} cannot be read ({first_line(error)})") from None
    if hashlib.sha256(content).hexdigest() != ARCHIVE_SHA256:
        raise Unavailable(f"{archive} is damaged (its SHA-256 is not {ARCHIVE_SHA256[:12]}...)")
    return content


def _download(cache: Path, timeout: float) -> Path:
    """Download the archive through Keras into its cache, with a timeout."""
    _require_answer(ARCHIVE_URL, timeout)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        keras = libraries.keras()
        cache.mkdir(parents=True, exist_ok=True)
        # In a temporary folder, so that the cache never holds half an archive.
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
        # Whatever goes wrong, this source is unavailable.
        raise Unavailable(f"Keras cannot download CIFAR-10 ({first_line(error)})") from None
    finally:
        socket.setdefaulttimeout(before)


def _require_answer(url: str, timeout: float) -> None:
    """Raise `Unavailable` unless a server answers in time, including the name lookup."""
    import urllib.request

    answers: list[str] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout):
                answers.append("")
        except Exception as error:
            answers.append(first_line(error).strip("<>"))

    # Name lookup has no timeout of its own; a thread that hangs in it is abandoned.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    problem = answers[0] if answers else f"no answer in {timeout:g} s"
    if problem:
        raise Unavailable(f"Keras's cache lacks CIFAR-10, and {url} is not available ({problem})")


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles arrays, bytes, lists and dicts, but nothing that could run code."""

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
    """Read the batches of a verified archive without extracting it."""
    batches: dict[str, list[dict[bytes, Any]]] = {split: [] for split in SPLITS}
    with tarfile.open(fileobj=io.BytesIO(content)) as packed:
        for member in sorted(packed.getmembers(), key=lambda member: member.name):
            split = {"data_batch": "train", "test_batch": "test"}.get(
                Path(member.name).name.rstrip("_12345")
            )
            file = packed.extractfile(member) if split else None
            if split and file:
                batches[split].append(_PlainUnpickler(file, encoding="bytes").load())
    return _from_batches("keras", origin, batches)


def _from_batches(
    name: str, origin: str, batches: Mapping[str, Sequence[Mapping[bytes, Any]]]
) -> Source:
    arrays = {split: _stacked(read) for split, read in batches.items()}
    images = {split: images for split, (images, _) in arrays.items()}
    labels = {split: labels for split, (_, labels) in arrays.items()}
    return Source(name, origin, "raw", images, labels)


def _stacked(batches: Sequence[Mapping[bytes, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of batches, whose images have the channels first."""
    flat = np.concatenate([batch[b"data"] for batch in batches])
    images = flat.reshape(-1, INPUT_SHAPE[2], *INPUT_SHAPE[:2]).transpose(0, 2, 3, 1)
    labels = np.concatenate([batch[b"labels"] for batch in batches])
    if images.dtype != np.uint8 or len(images) != len(labels) or set(labels) - set(range(10)):
        raise ValueError("not uint8 images, each with a label of 0 to 9")
    return images, labels.astype(np.uint8)
