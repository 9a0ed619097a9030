"""The images used by a run, as arrays with a digest."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convstudy.core.errors import UserError
from convstudy.core.files import read_json, replacing, write_json, write_text
from convstudy.data import remembered
from convstudy.data.settings import OWN, TEST_SHARE
from convstudy.data.sources import SPLITS, Source, find, first_line

logger = logging.getLogger(__name__)

# The splits of a run; validation images are held out from the official training images.
USED_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Images and labels, memory-mapped when loaded from files.

    Attributes:
        train_images, validation_images, test_images: (images, Y, X, channels) of uint8. Validation
            images are held out from the official training images; there may be none.
        train_labels, validation_labels, test_labels: (images,) of uint8.
        digest: SHA-256 of the concatenated bytes of the arrays: training images, training labels,
            test images, test labels, validation images, validation labels. One byte per channel or
            label, in C order: image, Y, X, channel (red, green, blue). For images of one's own,
            their shape and the names of their classes follow.
        own_classes: Names of the classes of images of one's own.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    digest: str
    own_classes: tuple[str, ...] = ()

    def verify(self) -> None:
        """Hash the arrays again, which reads all of them.

        Raises:
            UserError: If they do not match the digest.
        """
        actual = digest(vars(self), self.own_classes)
        if actual != self.digest:
            raise _not_as_prepared(
                f"the arrays' SHA-256 is {actual[:12]}..., but the summary says"
                f" {self.digest[:12]}...: they were changed after they were written"
            )


def _not_as_prepared(what: str) -> UserError:
    return UserError(
        f"{what}; make the arrays again: snakemake --cores all --forcerun prepare_dataset"
    )


def load_arrays(folder: Path) -> Dataset:
    """Open the arrays written by `prepare`, without reading the images into memory.

    Raises:
        UserError: If a file is missing, damaged or inconsistent with the others.
    """
    arrays = {}
    for split in USED_SPLITS:
        for what in ("images", "labels"):
            path = folder / f"{split}_{what}.npy"
            try:
                arrays[f"{split}_{what}"] = np.load(path, mmap_mode="r", allow_pickle=False)
            except Exception as error:
                # NumPy parses the header as Python; a damaged one raises errors of many kinds.
                raise _not_as_prepared(f"{path} cannot be read ({first_line(error)})") from None
            if arrays[f"{split}_{what}"].dtype != np.uint8:
                raise _not_as_prepared(f"{path} has {arrays[f'{split}_{what}'].dtype}, not uint8")
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if labels.ndim != 1 or images.ndim != 4 or len(images) != len(labels):
            raise _not_as_prepared(
                f"{folder} has {split} labels of shape {labels.shape} for images of shape"
                f" {images.shape}"
            )
    path = folder / "summary.json"
    try:
        summary = read_json(path)
        classes = tuple(summary["classes"]) if summary["source"] == OWN else ()
        return Dataset(**arrays, digest=summary["digest"], own_classes=classes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not_as_prepared(f"{path} cannot be read ({first_line(error)})") from None


def prepare(
    settings: Mapping[str, Any], directory: str | None, folder: Path, memory: Path | None = None
) -> dict[str, Any]:
    """Read the data set, draw the subset and write arrays, counts and a summary.

    Args:
        settings: The config's ``data`` section and, for images of one's own, ``shape`` and
            ``classes`` of those that the networks take.
        directory: Folder or file of the images, if given.
        folder: Where to write; ``summary.json`` is written last.
        memory: File that remembers the images for the next run, if there is one.

    Returns:
        The summary.

    Raises:
        UserError: If no source is available, a file is damaged, images cannot be right, the last
            run's were better, or the subset is larger than the data set.
    """
    source, fallbacks = find(settings, directory)
    if memory:
        remembered.require_as_good(source, settings, memory)
    source = _with_test_images(source, settings["seed"])
    duplicates = count_duplicates(source)
    used, counts = {}, ["split,label,name,images"]
    for split, chosen in draw(source, settings).items():
        official = "test" if split == "test" else "train"
        if split in SPLITS:
            _require_all_classes(source.labels[official][chosen], split, source)
        used[f"{split}_images"] = source.images[official][chosen]
        used[f"{split}_labels"] = source.labels[official][chosen]
        for label, name in enumerate(source.classes if len(chosen) else ()):
            number = int((used[f"{split}_labels"] == label).sum())
            counts.append(f"{split},{label},{_quoted(name)},{number}")
    summary = {
        "source": source.name,
        "origin": source.origin,
        "encoding": source.encoding,
        "lossy": source.lossy,
        "synthetic": source.name == "synthetic",
        "fallbacks": fallbacks,
        "available": {split: len(source.labels[split]) for split in SPLITS},
        "used": {split: len(used[f"{split}_labels"]) for split in USED_SPLITS},
        "duplicates": duplicates,
        "seed": settings["seed"],
        "shape": list(used["train_images"].shape[1:]),
        "classes": list(source.classes),
        "largest_class": _largest_class(used["test_labels"], source.classes),
        "pixels": _statistics(used["train_images"]),
        "notes": list(source.notes),
        "digest": digest(used, source.classes if source.name == OWN else ()),
    }
    if source.name == OWN:
        summary["name"] = settings["name"] or Path(str(directory)).stem
    # There is no summary until all arrays are complete.
    (folder / "summary.json").unlink(missing_ok=True)
    for name, array in used.items():
        with replacing(folder / f"{name}.npy") as temporary:
            np.save(temporary, array)
    write_text(folder / "classes.csv", "\n".join([*counts, ""]))
    write_json(folder / "summary.json", summary)
    if memory:
        remembered.remember(memory, source, directory, summary["digest"])
    logger.info(
        "%d training, %d validation and %d test images from %s%s",
        *summary["used"].values(),
        source.origin,
        " (lossy JPEG)" if summary["lossy"] else "",
    )
    return summary


def count_duplicates(source: Source) -> dict[str, int]:
    """Count images with equal pixels, and log how many there are.

    Returns:
        ``train`` and ``test``: images that repeat one of their split; ``test_in_train``: test
        images that are also training images.

    Raises:
        UserError: If all test images are also training images.
    """
    pixels = {split: [image.tobytes() for image in source.images[split]] for split in SPLITS}
    found = {split: len(images) - len(set(images)) for split, images in pixels.items()}
    trained = set(pixels["train"])
    found["test_in_train"] = sum(image in trained for image in pixels["test"])
    if found["test_in_train"] == len(pixels["test"]):
        raise UserError(
            f"{source.origin}: all {len(pixels['test']):,} test images are also training images;"
            " fetch the files of both splits again"
        )
    if any(found.values()):
        logger.warning(
            "duplicates: %d within the training images, %d within the test images, and %d of %d"
            " test images are also training images",
            *found.values(),
            len(pixels["test"]),
        )
    return found


def _quoted(name: str) -> str:
    """Quote a field of a CSV file where it must be."""
    return f'"{name.replace(chr(34), 2 * chr(34))}"' if set(name) & set(',"\n') else name


def _with_test_images(source: Source, seed: int) -> Source:
    """Hold out a fifth of each class of a source without test images."""
    if "test" in source.labels:
        return source
    images, labels = source.images["train"], source.labels["train"]
    held = stratified(labels, max(1, round(TEST_SHARE * len(labels))), [seed, 3])
    others = np.setdiff1d(np.arange(len(labels)), held)
    parts = {"train": others, "test": held}
    note = f"a fifth of each class was held out as test images, drawn with seed {seed}"
    return replace(
        source,
        images={split: images[chosen] for split, chosen in parts.items()},
        labels={split: labels[chosen] for split, chosen in parts.items()},
        notes=(*source.notes, note),
    )


def _largest_class(labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return name and share of the class with the most test images: what a constant gets right."""
    counts = np.bincount(labels, minlength=len(classes))
    return {"name": classes[int(counts.argmax())], "share": float(counts.max() / len(labels))}


def _statistics(images: np.ndarray) -> dict[str, list[float]]:
    """Return mean and standard deviation of each channel of the training images, from 0 to 1."""
    counts = np.stack([np.bincount(channel.ravel(), minlength=256) for channel in images.T])
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(axis=1)
    variance = counts @ values**2 / counts.sum(axis=1) - mean**2
    deviation = np.sqrt(np.maximum(variance, 0))
    return {"mean": mean.round(4).tolist(), "std": deviation.round(4).tolist()}


def _require_all_classes(labels: np.ndarray, split: str, source: Source) -> None:
    missing = sorted(set(range(len(source.classes))) - set(labels.tolist()))
    # A class of one's own may lack test images, which the summary says.
    if missing and not (source.name == OWN and split == "test"):
        names = ", ".join(f"{label} ({source.classes[label]})" for label in missing)
        raise UserError(
            f"{source.origin}: none of the {len(labels):,} {split} images used has the label"
            f" {names}; each class needs some; fetch the files again, or raise data.{split}_images"
        )


def draw(source: Source, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Draw the images to use, stratified by class.

    Returns:
        Ascending indices for each of `USED_SPLITS`; those for training and validation refer to the
        official training images and do not overlap.

    Raises:
        UserError: If there are fewer images than requested.
    """
    wanted = {split: settings[f"{split}_images"] for split in USED_SPLITS}
    for split in SPLITS:
        held_out = wanted["validation"] if split == "train" else 0
        most = len(source.labels[split]) - held_out
        if wanted[split] is None:
            wanted[split] = most
        if not 0 < wanted[split] <= most:
            besides = f" besides {held_out} for validation" if held_out else ""
            raise UserError(
                f"data.{split}_images: {settings[f'{split}_images']}, but {source.origin} has"
                f" {most} {split} images{besides}; write at most {most}, or null for all"
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


def digest(arrays: Mapping[str, np.ndarray], own_classes: Sequence[str] = ()) -> str:
    """Hash images and labels: the SHA-256 of their bytes, in the order described in `Dataset`."""
    hashed = hashlib.sha256()
    for split in ("train", "test", "validation"):
        for what in ("images", "labels"):
            array = np.ascontiguousarray(arrays[f"{split}_{what}"], dtype=np.uint8)
            hashed.update(array.tobytes())
    if own_classes:
        about = {"shape": arrays["train_images"].shape[1:], "classes": own_classes}
        hashed.update(json.dumps(about).encode())
    return hashed.hexdigest()


def stratified(labels: np.ndarray, wanted: int | None, seed: Any) -> np.ndarray:
    """Draw a subset that keeps the classes' shares, rounded by largest remainder.

    Args:
        labels: (images,) of int.
        wanted: Number of images; None for all.

    Returns:
        Indices, ascending.
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
