"""A curve's records, one mapping per epoch, and the tables made from them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convstudy.core.errors import UserError
from convstudy.core.files import read_sealed

if TYPE_CHECKING:
    import pandas as pd

# Columns of tables of curves; the validation ones are empty in runs without validation images.
MEASURED = (
    "epoch loss train_accuracy validation_loss validation_accuracy test_loss test_accuracy "
    "learning_rate seconds images_per_second"
)

# By accuracy, the column that holds which images were classified correctly.
RIGHT_OF = {"test_accuracy_best": "right_best", "test_accuracy_last": "right_last"}


def pack(right: np.ndarray) -> str:
    """Encode which images were right, (images,) of bool, as base64 text with one bit per image."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def unpack(text: str, images: int) -> np.ndarray:
    """Decode text from `pack` for a number of images."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=images).astype(bool)


def right(trainings: "pd.DataFrame", accuracy: str) -> np.ndarray:
    """Decode which images were right, (trainings, images) of bool.

    Args:
        trainings: Rows from `tabulate`.
        accuracy: The matching accuracy column, a key of `RIGHT_OF`.
    """
    rows = trainings[[RIGHT_OF[accuracy], "test_images"]].dropna()
    return np.array([unpack(text, int(images)) for text, images in rows.itertuples(index=False)])


def machines(records: Sequence[Mapping[str, Any]]) -> str:
    """Name the devices that trained these epochs; for a CPU, its processor."""
    named = {one["processor"] if one["device"] == "cpu" else one["device"] for one in records}
    return "; ".join(sorted(named))


def devices(records: Sequence[Mapping[str, Any]]) -> str:
    """Name the devices that trained these epochs, in order: ``cpu`` or a GPU's name.

    Environment variables that may change numbers are named, and processors if there are several,
    since their results differ by rounding.
    """
    # Older records have no processor.
    several = len({record.get("processor") for record in records}) > 1
    names = []
    for record in records:
        about = [str(record.get("processor"))] if several else []
        about += [f"{name}={value}" for name, value in record.get("variables", {}).items()]
        names.append(record["device"] + (f" ({', '.join(about)})" if about else ""))
    return ", then ".join(dict.fromkeys(names))


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise a curve: its best and last test accuracy, its epochs and its time.

    Returns:
        ``test_accuracy_best`` (of ``best_epoch``), ``test_accuracy_last``, ``validated_epoch`` (the
        one with the best validation accuracy) and ``test_accuracy_validated`` (there),
        ``train_accuracy_last``, ``epochs``, ``seconds``, ``images_per_second`` (median over epochs,
        since the first one also compiles) and, if the epochs have it, ``balanced_accuracy`` (of
        ``best_epoch``). Of equally good epochs, the first is chosen. Values are
        None without records or validation images; ``epochs`` and ``seconds`` are 0 without records.
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
        **balanced(records[best - 1] if best else {}),
    }


def balanced(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the balanced accuracy of an epoch, under its name, if it has one."""
    return {name: record[name] for name in ("balanced_accuracy",) if name in record}


def best_epoch(records: Sequence[Mapping[str, Any]], field: str) -> int | None:
    """Return the first epoch with the highest value of a field; None if no record has it."""
    values = [record[field] for record in records if field in record]
    return values.index(max(values)) + 1 if values else None


def load_description(path: str) -> dict[str, Any]:
    """Read the description of a curve written by a training job.

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
    """Collect trainings in a table with one row each.

    Args:
        descriptions: From `Curve.describe`, with whatever else `about` reads.
        about: Returns a row's first columns; the columns of `summarise` follow.
        ending: Fields of a description that come next. The last columns are ``test_images`` and
            the values of `RIGHT_OF`.
    """
    import pandas as pd

    rows = []
    for described in descriptions:
        measured = summarise(described["records"])
        epochs = {"right_best": measured["best_epoch"], "right_last": measured["epochs"]}
        rows.append(
            {
                **about(described),
                **measured,
                **{field: described[field] for field in ending},
                "test_images": described["test_images"],
                **{
                    name: described["records"][epoch - 1]["test_right"] if epoch else None
                    for name, epoch in epochs.items()
                },
            }
        )
    return pd.DataFrame(rows)


def tabulate_epochs(
    descriptions: Sequence[Mapping[str, Any]],
    about: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> "pd.DataFrame":
    """Collect the measurements in one row per epoch, after the columns from `about`."""
    import pandas as pd

    rows = [
        {**about(described), **record}
        for described in descriptions
        for record in described["records"]
    ]
    # Columns are given because there may be no rows, and because records have more fields.
    return pd.DataFrame(rows, columns=[*about(descriptions[0]), *MEASURED.split()])


def tabulate_single_kind(
    descriptions: Sequence[Mapping[str, Any]],
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Collect the single-kind trainings in two tables: one row per training, and per epoch."""

    def which(training: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": training["model"], "replicate": training["replicate"]}

    def about(training: Mapping[str, Any]) -> dict[str, Any]:
        parameters = training["parameters"]
        return {**which(training), "seed": training["seed"], "parameters": parameters}

    ending = ("device", "status", "reason", "curve")
    return tabulate(descriptions, about, ending), tabulate_epochs(descriptions, which)
