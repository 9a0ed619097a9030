"""The font for Japanese in figures and on pages: IPAexGothic, from the package matplotlib-fontja.

It is named by its path, since importing that package changes Matplotlib's settings.
"""

import base64
import io
from dataclasses import replace
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

# Its name within pages, so that no font of the reader's is meant.
EMBEDDED = "Embedded Japanese"


def japanese() -> Path:
    """Return the font's file."""
    package = distribution("matplotlib-fontja")
    return Path(str(package.locate_file("matplotlib_fontja/fonts/ipaexg.ttf")))


@cache
def add() -> None:
    """Let Matplotlib use it, for the characters that its own font lacks."""
    from matplotlib.font_manager import fontManager

    fontManager.addfont(japanese())
    # It has one weight; without this, each bold text would log that.
    fontManager.ttflist.append(replace(fontManager.ttflist[-1], weight=700))


def embedded(text: str) -> str:
    """Return a style sheet with the part of the font that some text needs."""
    from fontTools import subset

    characters = {ord(one) for one in text if ord(one) > 0x2E7F}
    options = subset.Options(flavor="woff", layout_features=[], hinting=False, notdef_outline=True)
    font = subset.load_font(str(japanese()), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    file = io.BytesIO()
    subset.save_font(font, file, options)
    data = base64.b64encode(file.getvalue()).decode()
    return f'@font-face {{ font-family: "{EMBEDDED}"; src: url(data:font/woff;base64,{data}); }}'
