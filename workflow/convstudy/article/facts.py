"""Access to the article's figures in `facts.yaml`, the only place that holds them."""

from functools import cache
from importlib.resources import files
from typing import Any

from convstudy.core.errors import UserError


@cache
def load() -> dict[str, Any]:
    """Return all of the article's statements, by section."""
    import yaml

    text = (files("convstudy.article") / "facts.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def figure(path: str) -> Any:
    """Return one of the article's figures.

    Args:
        path: Keys, and indices of lists from 0, joined by dots: ``single_kind.conv.parameters``.

    Raises:
        UserError: If there is no such figure; the message lists what there is.
    """
    value = load()
    for depth, key in enumerate(path.split(".")):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        inside = {str(name): item for name, item in pairs} if isinstance(value, dict | list) else {}
        if key not in inside:
            where = ".".join(path.split(".")[:depth]) or "facts.yaml"
            raise UserError(
                f"{path} is not a figure of the article; {where} has"
                f" {', '.join(inside) or 'nothing below it'}"
            )
        value = inside[key]
    return value


def accuracies() -> dict[str, float]:
    """Return the test accuracy of each single-kind network, as a fraction."""
    return {kind: row["test_accuracy"] for kind, row in _single_kind().items()}


def parameter_counts() -> dict[str, int]:
    """Return the seven parameter counts that the article prints, by model."""
    counts = {kind: row["parameters"] for kind, row in _single_kind().items()}
    for row in best(penalised=True):
        if "parameters" in row:
            counts[row["module"]] = row["parameters"]
    return counts


def best(penalised: bool) -> list[dict[str, Any]]:
    """Return a study's trials that the article prints: ``rank``, ``module``, ``test_accuracy``.

    Trials of the penalised study also have ``objective`` and ``parameters``, where printed.
    """
    return _study(penalised)["best"]


def completed(penalised: bool) -> tuple[int, int]:
    """Return the numbers of completed trials and of all trials in a study."""
    study = _study(penalised)
    return study["completed"], study["trials"]


def penalty() -> tuple[float, int]:
    """Return the penalty's weight and the number of parameters that it applies to."""
    stated = _study(penalised=True)["penalty"]
    return stated["weight"], stated["unit"]


def _single_kind() -> dict[str, dict[str, Any]]:
    return {kind: row for kind, row in load()["single_kind"].items() if isinstance(row, dict)}


def _study(penalised: bool) -> dict[str, Any]:
    return load()["studies"]["penalised" if penalised else "accuracy"]
