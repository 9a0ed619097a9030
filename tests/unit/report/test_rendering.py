import json
import sys
from pathlib import Path

import nbformat
import pytest
from convstudy.config import analyses
from convstudy.core.errors import UserError
from convstudy.report.rendering import assemble, execute, to_html
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

# Besides the first page.
SECTIONS = 9


def small_notebook(*cells) -> nbformat.NotebookNode:
    first = new_code_cell("value = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new_notebook(cells=[first, *cells], metadata={"kernelspec": kernel})


def output(notebook) -> str:
    return notebook.cells[-1].outputs[0]["data"]["text/plain"]


def test_the_kernel_is_this_python_whatever_the_user_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A kernel of the same name that cannot start, where a user's kernels are.
    theirs = tmp_path / "jupyter/kernels/python3"
    theirs.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python"], "display_name": "theirs", "language": "python"}
    (theirs / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    # And start-up files, of IPython and of Python, that would change what the notebook sees.
    startup = tmp_path / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import sys; sys.executable = 'changed'\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "start.py").write_text("value = 3\nimport sys; sys.executable = 'changed'\n")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    notebook = small_notebook(new_code_cell("import sys; (sys.executable, value)"))
    assert output(execute(notebook, {"value": 2})) == repr((sys.executable, 2))


def test_a_failing_cell_is_named_in_one_line(tmp_path: Path):
    notebook = small_notebook(new_code_cell("\n1 / 0\nprint('never')", id="the-third"))
    with pytest.raises(UserError) as caught:
        execute(notebook, {"value": 2})
    message = str(caught.value)
    assert "\n" not in message
    for part in ("cell the-third", "1 / 0", "ZeroDivisionError", "division by zero"):
        assert part in message


def test_a_kernel_that_dies_leaves_its_last_words(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cell = "import os, sys; print('out of memory', file=sys.__stderr__, flush=True); os._exit(9)"
    with pytest.raises(DeadKernelError):
        execute(small_notebook(new_code_cell(cell)), {"value": 2})
    assert "out of memory" in caplog.text


def test_no_code_is_shown():
    heading = new_markdown_cell("## A heading", id="place")
    notebook = small_notebook(heading, new_code_cell("shown = 'maybe'"))
    html = to_html(notebook, "A <title>", "A kicker")
    assert "maybe" not in html
    # Parameters hold paths of this machine.
    assert "value = 1" not in html
    assert '<a href="#place">A heading</a>' in html
    assert "A &lt;title&gt;" in html


def of(name: str, cells: list) -> list[str]:
    """List the sources of the cells that an analysis has."""
    return [cell.source for cell in cells if cell.id.partition("-")[0] == name]


def test_sections_hold_what_was_made_and_say_what_was_not():
    everything, nothing = assemble(analyses.names()).cells, assemble([]).cells
    for cells in (everything, nothing):
        assert sum(cell.source.startswith("## ") for cell in cells) == SECTIONS
        assert len({cell.id for cell in cells}) == len(cells)
    missing = {cell.id.removeprefix("without-"): cell.source for cell in nothing}
    for name in analyses.names():
        assert f"Add `{name}` to `analyses` in the config" in missing[name]
        assert of(name, everything)
        assert not of(name, nothing)
    assert not any(cell.id.startswith("without-") for cell in everything)


def test_each_analysis_brings_its_own_cells():
    for name in analyses.names():
        alone = assemble([name]).cells
        shown = {cell.id.partition("-")[0] for cell in alone} & set(analyses.names())
        assert shown == {name}
        missing = {cell.id for cell in alone if cell.id.startswith("without-")}
        assert missing == {f"without-{one}" for one in analyses.names() if one != name}


def test_the_report_has_few_words():
    words = sum(len(cell.source.split()) for cell in assemble(analyses.names()).cells)
    assert words < 1500
