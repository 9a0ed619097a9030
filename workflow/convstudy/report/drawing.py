"""All figures of a run, drawn into files."""

import logging
from pathlib import Path

from convstudy.display import style
from convstudy.report import parts
from convstudy.results.run import Results

logger = logging.getLogger(__name__)


def draw_figures(results: Results, folder: Path) -> None:
    """Draw all figures into a folder, as PNG and SVG, and below ``narrow`` for phones."""
    for name, drawing in parts.drawings(results.analyses).items():
        style.save(drawing.draw(results), folder / name)
        with style.narrow_screen():
            style.save(drawing.draw(results), folder / "narrow" / name, ["svg"])
        logger.info("%s", folder / name)
