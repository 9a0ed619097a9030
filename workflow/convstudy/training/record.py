"""The record of a curve: one mapping an epoch, and what tables say of it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convstudy.core.errors import UserError
from convstudy.core.files import read_sealed

if TYPE_CHECKING:
    import pandas as pd

# What tables of curves show of a record; a run without validation images leaves their cells empty.
MEASURED = (
    "epoch loss train_accuracy validation_loss validation_accuracy test_loss test_accuracy "
    "learning_rate seconds images_per_second"
)

# Which images were right, by the accuracy that is the mean of them.
RIGHT_OF = {"test_accuracy_best": "right_best", "test_accuracy_last": "right_last"}


def pack(right: np.ndarray) -> str:
    """Write which images were right, (images,) of bool, as text: a bit an image, in base 64."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def unpack(text: str, images: int) -> np.ndarray:
    """Read what `pack` wrote of a number of images."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=images).astype(bool)


def right(trainings: "pd.DataFrame", accuracy: str) -> np.ndarray:
    """Read which images were right, (trainings, images) of bool, of rows that `tabulate` gives.

    Args:
        accuracy: The column that has the means of it, of `RIGHT_OF`.
    """
    rows = trainings[[RIGHT_OF[accuracy], "test_images"]].dropna()
    return np.array([unpack(text, int(images)) for text, images in rows.itertuples(index=False)])


def devices(records: Sequence[Mapping[str, Any]]) -> str:
    """Name what trained these epochs: ``cpu``, a GPU's name, or several in order.

    Processors are named where there are several: their results differ by rounding.
    """
    # Older records do not name it.
    places = dict.fromkeys((one["device"], one.get("processor")) for one in records)
    several = len({processor for _, processor in places}) > 1
    names = (f"{device} ({processor})" if several else device for device, processor in places)
    return ", then ".join(dict.fromkeys(names))


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum up a curve: its best and last test accuracy, its epochs, its time.

    Returns:
        ``test_accuracy_best`` (of ``best_epoch``), ``test_accuracy_last``, ``validated_epoch`` (the
        one with the best validation accuracy) and ``test_accuracy_validated`` (there),
        ``train_accuracy_last``, ``epochs``, ``seconds``, ``images_per_second`` (median over epochs,
        since the first one also compiles). Of equally good epochs the first one counts. None where
        there are no records, or no validation images; ``epochs`` and ``seconds`` are then 0.
    """
    best = best_epoch(records, "test_accuracy")
    validated = best_epoch(records, "validation_accuracy")
    return {
        "test_accuracy_best": best and records[best - 1]["test_accuracy"],
        "best_epoch": best,
        "test_accuracy_last": records[-1]["test_accuracy"] if records else None,
        "validated_epoch": validated,
        "test_accuracy_validated": validated and records[validated - 1]["test_accuracy"],
        "train_accuracy_last": records[-1]["train_accuracy"] if records else None,
        "epochs": len(records),
        "seconds": round(sum(record["seconds"] for record in records), 3),
        "images_per_second": (
            float(np.median([record["images_per_second"] for record in records]))
            if records
            else None
        ),
    }


def best_epoch(records: Sequence[Mapping[str, Any]], field: str) -> int | None:
    """Give the first epoch with the highest value of a field; None where no record has it."""
    values = [record[field] for record in records if field in record]
    return values.index(max(values)) + 1 if values else None


def load_description(path: str) -> dict[str, Any]:
    """Read what a training job wrote of its curve.

    Raises:
        UserError: If the file is damaged.
    """
    try:
        return read_sealed(path)
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); make it again from the stored curve:"
            f" snakemake --cores all --force {path}"
        ) from None


def tabulate(
    descriptions: Sequence[Mapping[str, Any]],
    about: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ending: Sequence[str],
) -> "pd.DataFrame":
    """Collect trainings in a row each.

    Args:
        descriptions: What `Curve.describe` gives, with what `about` reads besides.
        about: Gives a row's first columns. Those of the measured accuracies follow (`summarise`).
        ending: Fields of a description that come next. The last columns are
            ``test_images`` and the values of `RIGHT_OF`.
    """
    import pandas as pd

    rows = []
    for one in descriptions:
        measured = summarise(one["records"])
        epochs = {"right_best": measured["best_epoch"], "right_last": measured["epochs"]}
        rows.append(
            {
                **about(one),
                **measured,
                **{field: one[field] for field in ending},
                "test_images": one["test_images"],
                **{
                    name: one["records"][epoch - 1]["test_right"] if epoch else None
                    for name, epoch in epochs.items()
                },
            }
        )
    return pd.DataFrame(rows)


def tabulate_epochs(
    descriptions: Sequence[Mapping[str, Any]],
    about: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> "pd.DataFrame":
    """Collect what was measured in a row an epoch, after the columns that `about` gives."""
    import pandas as pd

    rows = [{**about(one), **record} for one in descriptions for record in one["records"]]
    # There may be no row, and a record has more.
    return pd.DataFrame(rows, columns=[*about(descriptions[0]), *MEASURED.split()])


def tabulate_single_kind(
    descriptions: Sequence[Mapping[str, Any]],
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Collect the single-kind trainings: a row each, and a row an epoch."""

    def which(one: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": one["model"], "replicate": one["replicate"]}

    def about(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**which(one), "seed": one["seed"], "parameters": one["parameters"]}

    ending = ("device", "status", "reason", "curve")
    return tabulate(descriptions, about, ending), tabulate_epochs(descriptions, which)
