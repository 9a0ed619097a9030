"""The settings of the images, and what they must agree with."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from convstudy.core.section import Config, Mistake, Section, Text
from convstudy.layers.networks import INPUT_SHAPE

# Images that CIFAR-10 has (Krizhevsky, 2009).
IMAGES = {"train_images": 50_000, "test_images": 10_000}
FOLDER_VARIABLE = "CONVSTUDY_CIFAR10"
# The source of images of one's own.
OWN = "images"
# Share of them that is held out, if none are for the test.
TEST_SHARE = 0.2

Images = Annotated[int, Field(ge=10)]


class Data(Section):
    """Which images are used.

    Different images mean new curves.
    """

    source: Literal["auto", "real", "directory", "keras", "synthetic", "images"] = "auto"
    """Where CIFAR-10 comes from, or `images` of your own.

    `auto` uses the folder if one is given, otherwise Keras's cache or download, otherwise synthetic
    images; `real` never uses synthetic images.
    """

    directory: Text | None = None
    """Folder with train-*.parquet and test-*.parquet; null means the environment variable
    CONVSTUDY_CIFAR10, or else the folder of the last run.

    The layout is that of `uoft-cs/cifar10` on the Hugging Face hub. Images of your own are a folder
    with `train/CLASS/IMAGE` and perhaps `test/CLASS/IMAGE`, a folder of Parquet files as on the
    hub, or an `.npz` file with `train_images`, `train_labels` and perhaps `test_images`,
    `test_labels` and `classes`. Without test images, a fifth of each class is held out.
    """

    name: Text | None = None
    """What the report calls images of your own; null means the name of their folder or file."""

    fit: Literal["exact", "resize", "crop"] = "exact"
    """How images of your own become those of `model.input_shape`.

    `exact`: they have that size. `resize`: with Pillow's Lanczos filter, which smooths. `crop`: the
    same without distortion, and what is too long is cut off at both ends.
    """

    label: Text | None = None
    """Column of the labels, where Parquet files of your own have several."""

    train_images: Images | None = 5000
    """Training images, drawn at random with equal shares of the classes; null means all."""

    validation_images: Annotated[int, Field(ge=0)] = 0
    """Images held out from the training images, to choose an epoch without the test images."""

    test_images: Images | None = 1000
    """Test images, drawn in the same way; null means all."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed for drawing images, and for synthetic images."""


def train_images(data: Mapping[str, Any]) -> int:
    """Return about how many images are trained on; some may turn out not to be usable."""
    available = IMAGES["train_images"]
    if data["source"] == OWN and data["directory"] and not data["train_images"]:
        # Its readers need this module.
        from convstudy.data import own

        available = own.count(Path(data["directory"]).expanduser()) or available
    return data["train_images"] or available - data["validation_images"]


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find what CIFAR-10 or the folder does not have."""
    yield from _networks_fit(config)
    if config["data"]["source"] == OWN:
        yield from _own_is_there(config["data"]["directory"])
    elif config["data"]["source"] != "synthetic":
        yield from _subsets_fit(config)
        yield from _folder_is_there(config)


def _networks_fit(config: Config) -> Iterator[Mistake]:
    """Compare the images that the networks take with those of the source."""
    model, source = config["model"], config["data"]["source"]
    if source == OWN:
        if model["classes"] is None:
            what = "null, but images of your own have classes of their own; write their number"
            yield Mistake(("model", "classes"), what)
        return
    remedy = f"remove it, or write data.source: {OWN} for images of your own"
    if model["classes"] is not None:
        what = f"{model['classes']}, but data.source is {source}, which has ten; {remedy}"
        yield Mistake(("model", "classes"), what)
    shape = list(INPUT_SHAPE)
    if model["input_shape"] != shape:
        what = f"{model['input_shape']}, but data.source is {source}, of {shape}; {remedy}"
        yield Mistake(("model", "input_shape"), what)


def _own_is_there(folder: str | None) -> Iterator[Mistake]:
    if not folder:
        what = "null, but data.source is images; name their folder, or an .npz file"
        yield Mistake(("data", "directory"), what)
    elif not Path(folder).expanduser().exists():
        yield Mistake(("data", "directory"), f"{folder} is not there; correct the path")


def _subsets_fit(config: Config) -> Iterator[Mistake]:
    data = config["data"]
    for key, images in IMAGES.items():
        wanted = data[key]
        if wanted is not None and wanted > images:
            yield Mistake(
                ("data", key),
                f"{wanted}, but CIFAR-10 has {images:,}; write {key}: {images}, or null for all",
            )
    # Some must be left to train on.
    wanted, train = data["validation_images"], data["train_images"]
    most = max(0, IMAGES["train_images"] - (10 if train is None else train))
    if wanted > most:
        yield Mistake(
            ("data", "validation_images"),
            f"{wanted}, but CIFAR-10 has {IMAGES['train_images']:,} images for training and"
            f" validation; write validation_images: {most}, or lower data.train_images",
        )


def _folder_is_there(config: Config) -> Iterator[Mistake]:
    data = config["data"]
    key, folder = "directory", data["directory"]
    if folder is None:
        key, folder = FOLDER_VARIABLE, os.environ.get(FOLDER_VARIABLE)
    if data["source"] == "keras":
        return
    if not folder:
        if data["source"] == "directory":
            yield Mistake(
                ("data", "source"),
                "directory, but no folder is given; write directory: FOLDER below it, or set the"
                f" environment variable {FOLDER_VARIABLE}",
            )
        return
    missing = [
        f"{split}-*.parquet"
        for split in ("train", "test")
        if not any(Path(folder).expanduser().glob(f"{split}-*.parquet"))
    ]
    if missing:
        yield Mistake(
            ("data", key) if key == "directory" else (key,),
            f"{folder} has no {' and no '.join(missing)}; allowed is a folder of Parquet files as"
            " the Hugging Face hub lays out uoft-cs/cifar10; correct the path, or unset it",
        )
