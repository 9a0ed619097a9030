"""The user's own settings of Matplotlib, IPython and Jupyter change no figure and no report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from convstudy.display import style
from convstudy.report import parts
from convstudy.results.run import Results
from helpers.results import RECORDED, write_judged, write_sample

MATPLOTLIBRC = """
text.usetex: True
lines.marker: X
axes.prop_cycle: cycler('color', ['red'])
axes.facecolor: black
xtick.direction: in
font.weight: bold
savefig.bbox: tight
path.sketch: 3, 100, 2
"""
MISTAKES = "backend: nonsense\nno.such.key: 1\na line without a colon\n"
TABLES = "import pandas\npandas.set_option('display.max_colwidth', 3, 'display.precision', 1)\n"

REPORT = """
import sys
from pathlib import Path
from convstudy.report.parts import draw_figures
from convstudy.report.rendering import render
from convstudy.results.run import Results
results = Results(Path(sys.argv[1]))
draw_figures(results, results.folder / "figures")
reports = results.folder.parent
render(results, "title", reports / "report.ipynb", reports / "report.html")
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def hostile(home: Path) -> dict[str, str]:
    """Fill a home folder with settings that change or end a report; return the environment."""
    matplotlibrc = write(home / "matplotlibrc", MATPLOTLIBRC + MISTAKES)
    write(home / ".config/matplotlib/matplotlibrc", MATPLOTLIBRC)
    for profile in (".ipython/profile_default", ".config/ipython/profile_default"):
        write(home / profile / "startup/00.py", TABLES)
        config = f"c.InteractiveShellApp.exec_lines = {TABLES.splitlines()!r}"
        write(home / profile / "ipython_config.py", config)
    for name in ("jupyter_config", "jupyter_nbconvert_config"):
        write(home / f".jupyter/{name}.py", "c.HTMLExporter.exclude_input = False\n")
    template = home / "jupyter/nbconvert/templates/base"
    write(template / "display_priority.j2", "theirs")
    write(template / "conf.json", "{")
    return {
        "HOME": str(home),
        "MATPLOTLIBRC": str(matplotlibrc),
        "PYTHONSTARTUP": str(write(home / "start.py", TABLES)),
        "JUPYTER_PATH": str(home / "jupyter"),
    }


def report(results: Path, folder: Path, **variables: str) -> dict[Path, bytes]:
    """Draw the figures and render the report of a copy; return all files made."""
    shutil.copytree(results, folder / "results")
    # Matplotlib looks here first.
    if variables:
        (folder / "matplotlibrc").write_bytes(b"text.color: \xff\n")
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(folder / "results")],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    made = [*folder.glob("results/figures/**/*.*g"), folder / "report.html"]
    return {path.relative_to(folder): path.read_bytes() for path in made}


@pytest.mark.fault(
    "The user's matplotlibrc, IPython start-up files or Jupyter templates change looks",
    where="while figures are drawn and the report is rendered",
    lost="nothing: they are not read",
)
def test_the_users_files_change_nothing(tmp_path):
    folder = write_sample(tmp_path / "results")
    write_judged(Results(folder))
    usual = report(folder, tmp_path / "usual")
    assert len(usual) > 3 * len(parts.drawings([]))
    assert report(folder, tmp_path / "hostile", **hostile(tmp_path / "home")) == usual


@pytest.mark.parametrize("name", ["example_transpose", "single_kind"])
def test_settings_made_in_this_process_change_no_figure(tmp_path, name):
    """As in a notebook, where Matplotlib may have been imported and changed before."""
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC)
    theirs = mpl.rc_params_from_file(tmp_path / "matplotlibrc", use_default_template=False)
    drawing = parts.drawings([])[name]
    style.save(drawing.draw(RECORDED), tmp_path / "usual", ["svg"])
    with mpl.rc_context(theirs):
        style.save(drawing.draw(RECORDED), tmp_path / "theirs", ["svg"])
    assert (tmp_path / "theirs.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()
