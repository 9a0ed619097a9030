"""Which analyses there are: the folders of `convstudy.analyses`, found without importing them."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

# The article's own study, which is always made.
ARTICLE = "article_study"
# Of which other analyses an analysis is made.
NEEDS = {
    "epoch_selection": ("module_table",),
    "replay": ("module_table",),
    "penalties": ("module_table",),
    "pareto": ("module_table", "timing"),
}


@cache
def names() -> list[str]:
    """List the analyses that a config may ask for."""
    folders = [Path(str(one)) for one in files("convstudy.analyses").iterdir()]
    found = sorted(path.parent.name for one in folders for path in one.glob("__init__.py"))
    return [name for name in found if name != ARTICLE]


def captions(made: Sequence[str]) -> dict[str, Path]:
    """Give each figure's caption by the figure's name.

    Args:
        made: Names of the analyses, besides the article's own study.
    """
    folders = (files("convstudy.analyses") / name / "captions" for name in (ARTICLE, *made))
    found = [path for folder in folders for path in sorted(Path(str(folder)).glob("*.rst"))]
    return {path.stem: path for path in found}


def mistakes(config: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a config's list of analyses."""
    asked, lines = config["analyses"], []
    for name in asked:
        missing = [one for one in NEEDS.get(name, ()) if one not in asked]
        if name not in names():
            close = difflib.get_close_matches(name, names(), 1)
            fix = f"did you mean {close[0]}?" if close else "remove it"
            lines.append(f"analyses: {name} is none; allowed are {', '.join(names())}; {fix}")
        elif missing:
            made_of = " and ".join(NEEDS[name])
            lines.append(f"analyses: {name} is made of {made_of}; add {', '.join(missing)}")
    return lines
