"""The settings of the images, and what they must agree with."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from convstudy.core.errors import UserError
from convstudy.core.section import Config, Mistake, Section, Text
from convstudy.layers.networks import INPUT_SHAPE

# Images that CIFAR-10 has (Krizhevsky, 2009).
IMAGES = {"train_images": 50_000, "test_images": 10_000}
FOLDER_VARIABLE = "CONVSTUDY_CIFAR10"
# Names of CIFAR-10's files by split: the hub's, and the official batches.
FORMS = (
    {"train": "train-*.parquet", "test": "test-*.parquet"},
    {"train": "data_batch_[1-5]", "test": "test_batch"},
)
# Where they are below a folder: of the hub's repository, of its cache, and of what torchvision and
# Keras extract.
PLACES = ("plain_text", "snapshots/*/plain_text", "cifar-10-batches-py", "*/cifar-10-batches-py")
BATCHES = "name the folder cifar-10-batches-py that cifar-10-python.tar.gz holds"
OTHER_FORMS = {
    "cifar-10-python.tar.gz": ("an archive", "extract it: tar -xzf cifar-10-python.tar.gz"),
    "data_batch_1.bin": ("the version for C", BATCHES),
    "data_batch_1.mat": ("the version for MATLAB", BATCHES),
    "*.tfrecord*": ("the form of TensorFlow Datasets", BATCHES),
    "*/*.arrow": ("what Hugging Face's datasets saves", "use hf download uoft-cs/cifar10"),
}
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
    """Folder with CIFAR-10; null means the environment variable CONVSTUDY_CIFAR10, or else the
    folder of the last run.

    It is as `hf download --repo-type dataset uoft-cs/cifar10`, torchvision or Keras leaves it:
    train-*.parquet and test-*.parquet, or data_batch_1 to 5 and test_batch, in the folder or where
    these tools put them below it. Images of your own are a folder
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
    try:
        find_files(Path(folder).expanduser())
    except UserError as error:
        yield Mistake(("data", key) if key == "directory" else (key,), str(error))


def find_files(folder: Path) -> dict[str, list[Path]]:
    """Find CIFAR-10 in a folder.

    Returns:
        The files by split: Parquet files, or the official batches.

    Raises:
        UserError: If it is not there, or more than once.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; correct the path, or unset it")
    found = _complete(folder)
    for place in () if found else PLACES:
        found += [files for path in sorted(folder.glob(place)) for files in _complete(path)]
    if len(found) > 1:
        folders = ", ".join(str(files["train"][0].parent) for files in found)
        raise UserError(f"{folder} has CIFAR-10 {len(found)} times; name one of {folders}")
    if found:
        return found[0]
    for pattern, (what, remedy) in OTHER_FORMS.items():
        for path in sorted(folder.glob(pattern))[:1]:
            raise UserError(f"{folder} has {path.name}, {what}, which is not read; {remedy}")
    missing = [name for name in FORMS[0].values() if not any(folder.glob(name))]
    raise UserError(
        f"{folder} has no {' and no '.join(missing)}; allowed is CIFAR-10 as the Hugging Face hub"
        " (uoft-cs/cifar10), torchvision or Keras leaves it; correct the path, or unset it"
    )


def _complete(folder: Path) -> list[dict[str, list[Path]]]:
    """List the forms of CIFAR-10 of which a folder has files of both splits."""
    forms = [{split: sorted(folder.glob(name)) for split, name in form.items()} for form in FORMS]
    return [files for files in forms if all(files.values())]
