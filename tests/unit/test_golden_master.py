"""The recorded run as a golden master: what is made of it stays what it was.

`make golden` makes the record anew, for changes that are meant.
"""

import re
import shutil
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import yaml
from bs4 import BeautifulSoup
from bs4.element import Script
from convstudy.analyses.article_study import tables
from convstudy.claims import ledger, verdicts
from convstudy.comparison import recorded
from convstudy.core import environment
from convstudy.core.files import file_digest, read_json, write_csv, write_json, write_text
from convstudy.display.language import catalogue
from convstudy.layers.networks import ARTICLE
from convstudy.report import parts
from convstudy.report.rendering import render
from convstudy.results.run import Results
from convstudy.search.study import Search
from convstudy.training import curve
from matplotlib.collections import Collection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

ROOT = Path(__file__).parents[2]
QUICK, OVERLAY = (
    yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "article")
)
RUN = ROOT / "results/reference/cpu-small"
GOLDEN = ROOT / "tests/golden"
# The report of the recorded run, for whoever has none of their own.
PAGE = ROOT / "docs/report.html"
JAPANESE = ROOT / "docs/report.ja.html"
GLOSSARY = ROOT / "docs/glossary.md"
MOST_BYTES = 3_200_000
VERSIONS = ("python", "numpy", "pandas", "matplotlib", "seaborn")
SAID = ("id", "href", "alt", "title", "aria-label")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def glossary() -> str:
    """Write the terms that the report explains as a page of their own."""
    return "# Glossary\n\n" + (files("convstudy.report") / "glossary.md").read_text("utf-8")


def make(folder: Path) -> Path:
    """Make all that a report needs from the recorded files alone; give the folder of what to keep.

    There, the report is its visible text, and a figure the texts and coordinates that it draws.
    """
    results, kept = Results(folder / "results"), folder / "kept"
    shutil.copytree(RUN, results.folder)
    for other in sorted(RUN.parent.glob("*/reference.json")):
        if other.parent != RUN:
            shutil.copytree(other.parent, results.folder / "reference" / other.parent.name)
    tables.write_tables(results, results.folder / "tables")
    recorded.write_tables(results, results.folder / "tables")
    listed = ledger.load(ROOT / "config/claims.yaml")
    write_csv(results.folder / "claims.csv", verdicts.check(results, listed, OVERLAY))
    for name, figure in parts.drawings(results.analyses).items():
        write_text(kept / f"figures/{name}.txt", drawn(figure.draw(results)))
    parts.draw_figures(results, results.folder / "figures")
    (folder / "reports").mkdir()
    page = folder / "reports/report.html"
    render(results, QUICK["report"]["title"], folder / "reports/report.ipynb", page)
    write_text(kept / "report.txt", written(page))
    for table in [*results.folder.glob("tables/*.csv"), results.folder / "claims.csv"]:
        write_text(kept / table.relative_to(results.folder), table.read_text())
    pictures = sorted(results.folder.glob("figures/**/*.*g"))
    versions = environment.versions()
    versions = {name: versions.get(name) for name in VERSIONS}
    made_by = {"processor": environment.processor(), **versions}
    digests = {
        str(path.relative_to(results.folder / "figures")): file_digest(path) for path in pictures
    }
    write_json(kept / "pictures.json", {"made_by": made_by, "sha256": digests})
    return kept


def written(page: Path) -> str:
    """Write the texts of a page, and what its elements say to who does not see them."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    lines = []
    for element in soup.body.descendants:
        if isinstance(element, Script):
            continue
        if isinstance(element, str):
            # Figures' digests are compared where they must be equal.
            lines.append(re.sub("^[0-9a-f]{64}$", "SHA-256", " ".join(element.split())))
        else:
            lines += [f"{name}={element[name]}" for name in SAID if element.has_attr(name)]
    return "\n".join(line for line in lines if line) + "\n"


def drawn(figure) -> str:
    """Write the texts of a figure and the coordinates of its lines, markers and areas."""
    lines = []
    for artist in figure.findobj(lambda one: one.get_visible()):
        if isinstance(artist, Text):
            lines += [repr(artist.get_text())] if artist.get_text() else []
        elif isinstance(artist, Line2D):
            lines.append(f"line {summed(artist.get_xydata())}")
        elif isinstance(artist, Patch):
            lines.append(f"patch {summed(artist.get_path().vertices)}")
        elif isinstance(artist, Collection):
            paths = [path.vertices for path in artist.get_paths()]
            points = np.concatenate([*paths, np.asarray(artist.get_offsets())])
            lines.append(f"collection {summed(points)}")
    return "\n".join(lines) + "\n"


def summed(points: np.ndarray) -> str:
    """Write how many points there are, and sums that change with any of them and their order."""
    if len(points) <= 2:
        return " ".join(f"{value:.17g}" for value in points.ravel())
    weights = np.sin(np.arange(1, len(points) + 1))
    sums = (weights @ np.nan_to_num(points)).tolist()
    return f"{len(points)}: " + " ".join(f"{value:.17g}" for value in sums)


def difference(old: str, new: str) -> str:
    """Return the first lines that differ in text, or in a number by more than a relative 1e-9."""
    olds, news = old.splitlines(), new.splitlines()
    for number, (one, other) in enumerate(zip(olds, news, strict=False), 1):
        before, after = (np.array(NUMBER.findall(line), float) for line in (one, other))
        alike = NUMBER.sub("#", one) == NUMBER.sub("#", other)
        if not alike or not np.allclose(before, after, rtol=1e-9, atol=1e-12):
            return f"line {number}: {one[:300]!r} has become {other[:300]!r}"
    return "" if len(olds) == len(news) else f"{len(olds)} lines have become {len(news)}"


def test_what_is_made_of_the_recorded_run_stays_as_it_was(tmp_path: Path):
    kept = make(tmp_path)
    names = {
        path.relative_to(folder) for folder in (kept, GOLDEN) for path in folder.rglob("*.*")
    } - {Path("pictures.json")}
    changed = {
        str(name): difference(*((folder / name).read_text() for folder in (GOLDEN, kept)))
        if (GOLDEN / name).is_file() and (kept / name).is_file()
        else "is there no longer, or new"
        for name in names
    }
    expected, found = (read_json(folder / "pictures.json") for folder in (GOLDEN, kept))
    assert PAGE.stat().st_size <= MOST_BYTES
    changed["docs/report.html"] = difference(written(PAGE), (kept / "report.txt").read_text())
    # Other processors and versions round otherwise, and draw pixels otherwise.
    if found["made_by"] == expected["made_by"] and found["sha256"] != expected["sha256"]:
        changed["pictures.json"] = "pictures have other bytes"
    assert not {name: how for name, how in changed.items() if how}


def test_the_japanese_report_is_the_translated_one(tmp_path: Path):
    shown = tmp_path / "report.html"
    write_text(shown, catalogue("ja").page(PAGE.read_text(encoding="utf-8")))
    assert not difference(written(JAPANESE), written(shown)), "run make golden"


def test_the_glossary_of_the_docs_is_that_of_the_report():
    assert GLOSSARY.read_text(encoding="utf-8") == glossary(), "run make golden"


def test_a_changed_number_or_word_is_found():
    old = "conv,0.123456789012,3 of 4\nend\n"
    assert not difference(old, "conv,0.12345678901201,3 of 4\nend\n")
    for new in ("conv,0.1234567895,3 of 4\nend\n", "conv,0.123456789012,3 or 4\nend\n", "conv"):
        assert difference(old, new)


def curve_as_recorded(kinds: tuple[str, ...], replicate: int, folder: Path = RUN) -> curve.Curve:
    config = Results(RUN).run["config"]
    images = SimpleNamespace(digest=Results(RUN).data["digest"])
    of = config["search" if len(kinds) == ARTICLE.module_layers else "training"]
    recipe = config["model"], config["training"]
    return curve.Curve(folder, kinds, replicate, *recipe, of["epochs"], images)


def test_every_curve_has_the_name_that_it_was_recorded_with():
    trials = pd.concat(study.trials for study in Results(RUN).studies.values())
    modules = zip(trials["layer1"], trials["layer2"], trials["layer3"], strict=True)
    training = Results(RUN).training
    kinds = [*modules, *((kind, kind) for kind in training["kind"])]
    listed = pd.concat([trials, training])
    assert len(listed) == 69
    found = map(curve_as_recorded, kinds, listed["replicate"])
    assert [curve.name for curve in found] == listed["curve"].tolist()


def test_every_study_is_the_one_that_was_recorded(tmp_path: Path):
    search = Results(RUN).run["config"]["search"]
    curve = partial(curve_as_recorded, folder=tmp_path)
    for name, settings in search["studies"].items():
        found = Search(
            name, settings, search["epochs"], 1, "journal", tmp_path, ARTICLE.space, curve, len
        )
        assert found.identity == Results(RUN).studies[name].summary["settings"]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder))
        shutil.copyfile(Path(folder) / "reports/report.html", PAGE)
        results = Results(Path(folder) / "results")
        parts.draw_figures(results, results.folder / "figures", "ja")
        title, notebook = QUICK["report"]["title"], Path(folder) / "reports/report.ja.ipynb"
        render(results, title, notebook, JAPANESE, language="ja")
        write_text(GLOSSARY, glossary())
        shutil.rmtree(GOLDEN, ignore_errors=True)
        shutil.copytree(made, GOLDEN)
    sys.exit(print(f"renewed {GOLDEN.relative_to(ROOT)}: look at what git says has changed"))
