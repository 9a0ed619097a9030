"""What a dry run would do."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from convstudy.core.progress import counted

# How Snakemake's reasons for a step begin, and what they mean; the first that fits is told.
REASONS = {
    "Forced": "asked for",
    "Params": "its settings changed",
    "Code": "its code changed",
    "Software": "its software changed",
    "Set of input": "its inputs are others than before",
    "Incomplete": "was interrupted",
    "Missing": "not made yet",
    "Updated": "an input changed",
    "Input files": "an input is made again",
}
# Those that a reader would not expect.
CHANGES = [what for what in REASONS.values() if what.endswith(("changed", "before", "interrupted"))]


def summary(planned: Sequence[Any], cost: str) -> str:
    """Say what a dry run would make, why, and at what cost."""
    alike = Counter((record.rule_name, why(record.reason)) for record in planned)
    first = {record.rule_name: record.rule_msg or "" for record in reversed(planned)}
    rows = [
        (f"{n:4}", rule, f"{first[rule]}{f', and {n - 1} more' if n > 1 else ''}", reason)
        for (rule, reason), n in alike.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    end = [cost] if cost else []
    end.append("Nothing was run; the same command without -n (--dry-run) does it.")
    return "\n".join([f"\n{counted(len(planned), 'step')} would run:", *lines, "", *end])


def why(reason: str) -> str:
    """Say in short why a step would run."""
    found = [short for start, short in REASONS.items() if re.search(rf"(^|; ){start}", reason)]
    return found[0] if found else reason
