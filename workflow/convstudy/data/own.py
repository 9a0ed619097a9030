"""Images of one's own: a folder of images by class, Parquet files, or an .npz file.

The images of a split are put in an order of their own, by label and pixels, so that the same images
give the same data set in whatever form they come.
"""

import hashlib
import io
import json
import os
import re
import unicodedata
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convstudy.core.errors import UserError
from convstudy.data.settings import OWN, TEST_SHARE
from convstudy.data.sources import SPLITS, Source, first_line, read_rows, require_all_parts, wrong

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
# Modes of Pillow with 8 bits or fewer a channel, and without transparency.
MODES = ("1", "L", "P", "RGB")
ROTATION = 0x0112
# What `read` needs of the settings.
SETTINGS = ("fit", "label", "shape", "classes")
# What systems and tools leave in folders, besides names that begin with a dot.
LEFTOVERS = ("__MACOSX", "Thumbs.db", "desktop.ini")
# Names of columns, where a file does not say which one has the images or the labels.
IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "labels", "fine_label", "coarse_label")
PARQUET = re.compile(r"(train|test)(-\d+-of-\d+)?\.parquet")
# Names of arrays in .npz files: of images and of labels.
ARRAYS = (("{}_images", "{}_labels"), ("x_{}", "y_{}"))


@dataclass
class Fitting:
    """Turns images into those that the networks take, and counts what it did.

    Attributes:
        shape: Of the results, (Y, X, channels).
        how: ``exact`` (they have that size), ``resize``, or ``crop`` (resize, then cut off what
            is too long).
    """

    shape: tuple[int, ...]
    how: str
    done: Counter[str] = field(default_factory=Counter)
    formats: set[str] = field(default_factory=set)

    def encoded(self, content: bytes, where: str) -> np.ndarray:
        """Decode an image file; its format is told by its first bytes, not by its name.

        Raises:
            UserError: If it is damaged, or cannot be used.
        """
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                opened = Image.open(io.BytesIO(content), formats=FORMATS)
                frames = getattr(opened, "n_frames", 1)
                deep = any(";16" in str(tile) for tile in opened.tile)
                opened.load()
        except Exception as error:
            # Decoders raise many kinds of errors on damaged bytes.
            what = f"an image that cannot be decoded ({first_line(error)})"
            raise UserError(f"{where}: {what}; replace or remove it") from None
        if frames > 1:
            raise UserError(f"{where}: an image of {frames} frames; keep one of them")
        if deep or opened.mode.startswith("I"):
            raise UserError(f"{where}: an image of 16 bits a channel; save it with 8")
        self.formats.add(str(opened.format))
        return self.fit(opened, where)

    def fit(self, image: Any, where: str) -> np.ndarray:
        """Turn, convert and resize an image of Pillow.

        Raises:
            UserError: If it cannot be used.
        """
        from PIL import Image, ImageOps

        if image.mode not in MODES or "transparency" in image.info:
            what = "transparent pixels" if image.mode in MODES else f"colours as {image.mode}"
            raise UserError(f"{where}: an image with {what}; save it as grey or RGB")
        if image.getexif().get(ROTATION, 1) not in (0, 1):
            self.done["turned as their EXIF data say"] += 1
            image = ImageOps.exif_transpose(image)
        height, width, channels = self.shape
        mode = "RGB" if channels == 3 else "L"
        if image.mode == "RGB" and mode == "L":
            self.done["turned from colour to grey (ITU-R 601)"] += 1
        image, size = image.convert(mode), (width, height)
        if image.size != size:
            if self.how == "exact":
                raise UserError(
                    f"{where}: an image of {image.height}x{image.width} pixels, but"
                    f" model.input_shape is {list(self.shape)}; write data.fit: resize or crop, or"
                    " another input_shape"
                )
            self.done[f"{FITTED[self.how]} ({_filter()})"] += 1
            if self.how == "crop":
                image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
            else:
                image = image.resize(size, Image.Resampling.LANCZOS)
        return np.asarray(image, np.uint8).reshape(self.shape)


FITTED = {"resize": "resized", "crop": "resized and cropped at the centre"}


def _filter() -> str:
    import PIL

    return f"Lanczos filter of Pillow {PIL.__version__}"


@dataclass
class Found:
    """Images and labels by split, the classes' names, and what to say of them."""

    images: dict[str, list[np.ndarray]]
    labels: dict[str, list[int]]
    classes: list[str]
    notes: list[str]

    def add(self, split: str, image: np.ndarray, label: int) -> None:
        """Add an image to a split."""
        self.images.setdefault(split, []).append(image)
        self.labels.setdefault(split, []).append(label)

    def skip(self, names: Iterable[str]) -> None:
        """Note which files were skipped, if any."""
        names = sorted(names)
        if names:
            some = ", ".join(names[:3]) + ", ..." * (len(names) > 3)
            self.notes.append(f"{len(names):,} file{'s' * (len(names) > 1)} skipped ({some})")


def read(path: Path, fit: str, label: str | None, shape: Sequence[int], classes: int) -> Source:
    """Read images of one's own.

    Args:
        path: A folder with ``train/CLASS/*`` and perhaps ``test/CLASS/*``, a folder of Parquet
            files as on the Hugging Face hub, or an ``.npz`` file.
        fit: See `Fitting`.
        label: Column of the labels in Parquet files that have several.
        shape: Of the images, (Y, X, channels).
        classes: How many classes there must be.

    Returns:
        The images; without ``test`` if there are none for it.

    Raises:
        UserError: If they cannot be used; the message says what to change.
    """
    fitting = Fitting(tuple(shape), fit)
    if path.is_file():
        found = _read_npz(path, fitting)
    elif any(_split_of(file) for file in path.iterdir()):
        found = _read_parquet(path, fitting, label)
    else:
        found = _read_folder(path, fitting)
    every = {label for labels in found.labels.values() for label in labels}
    if min(every) == 1 and max(every) == classes:
        raise UserError(
            f"{path}: the labels go from 1 to {classes}, but they must count from 0; subtract 1"
            " from all"
        )
    if len(found.classes) != classes:
        names = ", ".join(found.classes[:12]) + (", ..." if len(found.classes) > 12 else "")
        raise UserError(
            f"model.classes: {classes}, but {path} has {len(found.classes)} ({names}); write"
            f" classes: {len(found.classes)}"
        )
    images, labels = {}, {}
    for split, these in found.images.items():
        _require_labels(found.labels[split], classes, f"{path}: {split}")
        order = _order(these, found.labels[split])
        images[split] = np.stack([these[place] for place in order])
        labels[split] = np.array([found.labels[split][place] for place in order], np.uint8)
    notes = [*found.notes, *(f"{number:,} images {what}" for what, number in fitting.done.items())]
    encoding = ", ".join(sorted(fitting.formats)).lower() or "raw"
    origin = path.name if path.is_file() else f"the folder {path.name}"
    return Source(OWN, origin, encoding, images, labels, tuple(found.classes), tuple(notes))


def count(path: Path) -> int | None:
    """Count the training images, without reading them; None if their files do not tell."""
    try:
        return _count(path)
    except (OSError, ValueError, LookupError, zipfile.BadZipFile):
        # Errors of Parquet files are among these.
        return None


def _count(path: Path) -> int:
    import pyarrow.parquet as pq

    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            sizes = {
                split: len(file[labels.format(split)])
                for split in SPLITS
                for _, labels in ARRAYS
                if labels.format(split) in file
            }
    elif any(_split_of(file) for file in path.iterdir()):
        sizes = dict.fromkeys({_split_of(file) for file in path.iterdir()} - {""}, 0)
        for file in path.iterdir():
            if split := _split_of(file):
                sizes[split] += pq.read_metadata(file).num_rows
    else:
        sizes = {
            split: sum(not _left_over(file.name) for file in _files(path / split))
            for split in SPLITS
            if (path / split).is_dir()
        }
    return sizes["train"] if "test" in sizes else round((1 - TEST_SHARE) * sizes["train"])


def _order(images: Sequence[np.ndarray], labels: Sequence[int]) -> list[int]:
    """Order images by label and pixels."""
    keys = [
        (label, hashlib.sha256(image.tobytes()).digest())
        for image, label in zip(images, labels, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _require_labels(labels: Iterable[int], classes: int, where: str) -> None:
    beyond = sorted({label for label in labels if not 0 <= label < classes})
    if beyond:
        raise UserError(
            f"{where} has the label {beyond[0]}, but with {classes} classes they go from 0 to"
            f" {classes - 1}; correct the labels"
        )


# A folder of images by class


def _left_over(name: str) -> bool:
    return name.startswith(".") or name in LEFTOVERS


def _files(folder: Path) -> Iterator[Path]:
    """List all files below a folder."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def _read_folder(folder: Path, fitting: Fitting) -> Found:
    if not (folder / "train").is_dir():
        raise UserError(
            f"{folder} has no folder train with a folder of images for each class, and no"
            " train.parquet or train-*.parquet; arrange it as train/CLASS/IMAGE"
        )
    of_train = _class_folders(folder / "train")
    found = Found({}, {}, list(of_train), [])
    read: set[Path] = set()
    for split in SPLITS:
        if not (folder / split).is_dir():
            continue
        folders = of_train if split == "train" else _class_folders(folder / split)
        others = [name for name in folders if name not in of_train]
        if others:
            raise UserError(
                f"{folder / split} has the class {others[0]}, which {folder / 'train'} lacks;"
                " give both the same classes"
            )
        for label, name in enumerate(of_train):
            for path in sorted(folders[name].iterdir()) if name in folders else ():
                if path.is_dir() and not _left_over(path.name):
                    raise UserError(f"{path}: a folder within a class; put its images beside it")
                content = b"" if path.is_dir() or _left_over(path.name) else path.read_bytes()
                if not _is_image(content):
                    continue
                found.add(split, fitting.encoded(content, str(path)), label)
                read.add(path)
            if split == "train" and label not in found.labels.get(split, ()):
                raise UserError(f"{folders[name]}: a class without images; add some, or remove it")
    tested = set(found.labels.get("test", range(len(of_train))))
    found.notes += [
        f"the class {name} has no test images"
        for label, name in enumerate(of_train)
        if label not in tested
    ]
    found.skip(str(path.relative_to(folder)) for path in _files(folder) if path not in read)
    return found


def _is_image(content: bytes) -> bool:
    """Tell from a file's first bytes whether it is of one of the formats."""
    from PIL import Image, UnidentifiedImageError

    try:
        Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        return False
    except Exception:
        # A damaged image, which decoding names.
        return True
    return True


def _class_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of the classes, sorted by name in Unicode's composed form (NFC)."""
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if not path.is_dir() or _left_over(path.name):
            continue
        name = unicodedata.normalize("NFC", path.name)
        if name in found:
            raise UserError(
                f"{folder} has two folders named {name}, in two forms of Unicode; join them"
            )
        found[name] = path
    if not found:
        raise UserError(f"{folder} has no folders of classes; arrange it as train/CLASS/IMAGE")
    return dict(sorted(found.items()))


# Parquet files as on the Hugging Face hub


def _read_parquet(folder: Path, fitting: Fitting, label: str | None) -> Found:
    found = Found({}, {}, [], [])
    for split in SPLITS:
        files = [path for path in sorted(folder.iterdir()) if _split_of(path) == split]
        if not files and split == "train":
            raise UserError(f"{folder} has no train.parquet and no train-*.parquet; add it")
        require_all_parts(files)
        for path in files:
            images, labels, schema = read_rows(path, partial(_columns, path, label))
            _, target = _columns(path, label, schema)
            names = _features(schema).get(target, {}).get("names") or []
            if found.classes and names and names != found.classes:
                raise wrong(path, "other classes than in the files before")
            found.classes = found.classes or [unicodedata.normalize("NFC", one) for one in names]
            for row, (image, number) in enumerate(zip(images, labels, strict=True)):
                if type(number) is not int:
                    raise wrong(path, f"row {row} has the label {number!r}, not a whole number")
                if not image:
                    raise wrong(path, f"row {row} has no image")
                found.add(split, fitting.encoded(image, f"{path}: row {row}"), number)
    if not found.classes:
        number = 1 + max(max(labels) for labels in found.labels.values())
        found.classes = [str(one) for one in range(number)]
        found.notes.append("the files do not name their classes, so these are numbers")
    found.skip(path.name for path in folder.iterdir() if not _split_of(path))
    return found


def _split_of(path: Path) -> str:
    matched = PARQUET.fullmatch(path.name)
    return matched[1] if matched else ""


def _features(schema: Any) -> dict[str, Any]:
    """Return what the file's writer said of its columns."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        return dict(about["info"]["features"])
    except (KeyError, TypeError, ValueError):
        return {}


def _columns(path: Path, label: str | None, schema: Any) -> tuple[str, str]:
    """Find the columns of images and labels."""
    columns, features = schema.names, _features(schema)

    def of_type(name: str) -> list[str]:
        typed = [column for column, one in features.items() if (one or {}).get("_type") == name]
        return [column for column in typed if column in columns]

    images = of_type("Image") or [name for name in IMAGE_COLUMNS if name in columns]
    labels = of_type("ClassLabel") or [name for name in LABEL_COLUMNS if name in columns]
    there = ", ".join(columns)
    if label and label not in columns:
        raise UserError(f"data.label: {label}, but {path} has only {there}; write one of them")
    if label:
        labels = [label]
    if len(images) != 1:
        raise UserError(f"{path}: no column of images (img or image), only {there}; rename it")
    if not labels:
        raise UserError(f"{path}: no column of labels, only {there}; write data.label: COLUMN")
    if len(labels) > 1:
        raise UserError(
            f"{path} has several columns of labels: {', '.join(labels)}; write data.label:"
            f" {labels[0]} (or another)"
        )
    return images[0], labels[0]


# NumPy's .npz


def _read_npz(path: Path, fitting: Fitting) -> Found:
    from PIL import Image

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except Exception as error:
        # Damaged archives raise errors of many kinds.
        what = f"not an .npz file that can be read ({first_line(error)})"
        raise UserError(f"{path}: {what}; write it with numpy.savez") from None
    found = Found({}, {}, [], [])
    used = {"classes"}
    for split in SPLITS:
        names = [
            (images.format(split), labels.format(split))
            for images, labels in ARRAYS
            if images.format(split) in arrays and labels.format(split) in arrays
        ]
        if not names and split == "test":
            continue
        if not names:
            raise UserError(
                f"{path} has no train_images and train_labels, only {', '.join(arrays)}; rename"
                " its arrays"
            )
        used |= set(names[0])
        images, labels = (arrays[name] for name in names[0])
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        grey = images.ndim == 3 or images.shape[-1:] == (1,)
        if images.ndim not in (3, 4) or not (grey or images.shape[-1] == 3):
            raise UserError(
                f"{path}: {names[0][0]} has the shape {images.shape}, not (images, Y, X) or"
                " (images, Y, X, 3)"
            )
        if images.dtype != np.uint8:
            raise UserError(
                f"{path}: {names[0][0]} has {images.dtype}, not whole numbers of 0 to 255 (uint8);"
                " convert them"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise UserError(
                f"{path}: {names[0][1]} must have a whole number for each of {len(images):,}"
                f" images, but is {labels.dtype} of shape {labels.shape}"
            )
        found.images[split] = [
            fitting.fit(
                Image.fromarray(image.squeeze(-1) if grey and image.ndim == 3 else image),
                f"{path}: {names[0][0]}[{place}]",
            )
            for place, image in enumerate(images)
        ]
        found.labels[split] = [int(label) for label in labels]
    most = 1 + max(max(labels) for labels in found.labels.values())
    given = arrays.get("classes")
    found.classes = [str(one) for one in (range(most) if given is None else given)]
    found.classes = [unicodedata.normalize("NFC", name) for name in found.classes]
    others = [name for name in arrays if name not in used]
    if others:
        found.notes.append(f"{len(others)} arrays skipped ({', '.join(others[:3])})")
    return found
