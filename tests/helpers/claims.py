"""A ledger with one claim, and the tests that a claim may have."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from convstudy.claims import ledger
from convstudy.core.files import write_text

CLAIM = {
    "id": "one",
    "statement": "It is so.",
    "source": "Somewhere",
    "basis": "training",
    "file": "tables/trials.csv",
    "unit": "times",
    "refuted_by": "Another number.",
}


def load(folder: Path, drawn: Collection[str] | None = None, **keys: Any) -> list[ledger.Claim]:
    """Read a file with one claim; None removes a key."""
    claim = {key: value for key, value in {**CLAIM, **keys}.items() if value is not None}
    write_text(folder / "claims.yaml", yaml.safe_dump({"Ours": {"claims": [claim]}}))
    return ledger.load(folder / "claims.yaml", drawn)


def equality(value: Any, expected: Any) -> dict[str, Any]:
    return {"equality": {"value": value, "expected": expected}}


def tolerance(value: Any, expected: float, most: float) -> dict[str, Any]:
    return {"tolerance": {"value": value, "expected": expected, "tolerance": most}}


def ordering(*values: Any) -> dict[str, Any]:
    return {"ordering": {"values": list(values)}}


def interval(value: Any, **bounds: float) -> dict[str, Any]:
    return {"interval": {"value": value, **bounds}}


VALUE = {"column": "value"}
A, B, C = ({"select": f"name == '{name}'", **VALUE} for name in "abc")
