"""What the analyses contribute to the report: figures, tables, findings."""

import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from convstudy.config.analyses import ARTICLE, captions
from convstudy.core import libraries
from convstudy.display import style
from convstudy.display.columns import Table
from convstudy.display.language import ENGLISH, catalogue
from convstudy.display.style import Drawing
from convstudy.results.run import Results

logger = logging.getLogger(__name__)


def _modules(made: Sequence[str], name: str) -> list[ModuleType]:
    """Import a module from the article's study and from each analysis that has it."""
    package = files("convstudy.analyses")
    having = [part for part in (ARTICLE, *made) if (package / part / f"{name}.py").is_file()]
    return [import_module(f"convstudy.analyses.{part}.{name}") for part in having]


def drawings(made: Sequence[str]) -> dict[str, Drawing]:
    """Return the figures of the article's study and of these analyses, by name."""
    # Before those modules import it.
    libraries.matplotlib()
    return {
        name: drawing
        for part in _modules(made, "figures")
        for name, drawing in part.DRAWINGS.items()
    }


def tables(made: Sequence[str]) -> dict[str, Table]:
    """Return the tables they show, by name: ``NAME`` in ``tables/``, or ``FOLDER/NAME``."""
    shown = [vars(part).get("TABLES", {}) for part in _modules(made, "shown")]
    return {name: table for part in shown for name, table in part.items()}


def findings(analysis: str, results: Results) -> list[str]:
    """Return an analysis's findings, in sentences."""
    return list(import_module(f"convstudy.analyses.{analysis}.shown").findings(results))


def draw_figures(results: Results, folder: Path, language: str = ENGLISH) -> None:
    """Draw all figures into a folder as PNG and SVG, and for phones into ``narrow`` below it."""
    translated = catalogue(language)
    shown = captions(results.analyses, results.networks.is_article)
    for name, drawing in drawings(results.analyses).items():
        if name not in shown:
            continue
        style.save(translated.figure(drawing.draw(results)), folder / name)
        with style.narrow_screen():
            drawn = translated.figure(drawing.draw(results))
            style.save(drawn, folder / "narrow" / name, ["svg"])
        logger.info("%s", folder / name)
