"""Execute the report's notebook and render it as one self-contained HTML file."""

import logging
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from convstudy.config.analyses import names
from convstudy.core.errors import UserError
from convstudy.core.files import write_text
from convstudy.display.language import ENGLISH, catalogue
from convstudy.report import interactive
from convstudy.report.answer import answer
from convstudy.results.run import Results

logger = logging.getLogger(__name__)

SOURCE = Path(str(files("convstudy.report") / "report.md"))
TEMPLATE = SOURCE.parent / "template"
# A cell's name in a comment, followed by prose or by fenced code.
CELL = re.compile(r"<!-- ([\w-]+) -->\n(.*?)\n(?=\n<!-- [\w-]+ -->\n|\Z)", re.DOTALL)
FENCE = re.compile(r"```python\n(.*)\n```", re.DOTALL)


def assemble(made: Sequence[str], article: bool = True) -> Any:
    """Build the notebook from the report's text, with the cells of the analyses that were made.

    A cell whose name begins with an analysis's is included if that analysis was made; one that
    begins with ``without-`` and an analysis's, if it was not. One with ``article`` or ``other`` in
    its name is for the article's networks, or for others.

    Args:
        made: Names of the analyses.
        article: Whether the networks are the article's.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells = []
    for name, source in CELL.findall(SOURCE.read_text(encoding="utf-8")):
        first, _, rest = name.partition("-")
        if (first in names() and first not in made) or (first == "without" and rest in made):
            continue
        if ("other" if article else "article") in name.split("-"):
            continue
        # Links lead to both.
        name = re.sub(r"\b(article|other)-", "", name)
        if fenced := FENCE.fullmatch(source):
            tags = {"tags": ["parameters"]} if name == "parameters" else {}
            cells.append(new_code_cell(fenced[1], id=name, metadata=tags))
        else:
            cells.append(new_markdown_cell(source, id=name))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def execute(notebook: Any, parameters: Mapping[str, Any], folder: Path = Path()) -> Any:
    """Run a notebook with parameters, in this Python interpreter.

    Args:
        notebook: The source, with a cell tagged ``parameters``.
        parameters: Their values.
        folder: Where it runs.

    Returns:
        The executed notebook.

    Raises:
        UserError: If a cell fails; names the cell and its error.
    """
    import papermill
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class ThisPython(AsyncKernelManager):
        """Start this interpreter, whatever kernels of the same name the user has installed."""

        @default("kernel_spec_manager")
        def _only_native(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

        @default("transport_encryption")
        def _where_there_is_support(self) -> str:
            return "auto"

        def start_kernel(self, **arguments: Any) -> Any:
            # Keep the user's start-up files and the debugger's advice out of the report.
            quiet = {"IPYTHONDIR": profile, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
            environment = {**os.environ, **quiet, "PYTHONSTARTUP": ""}
            return super().start_kernel(**arguments, env=environment, stderr=messages)

    # papermill's log would repeat the workflow's.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as profile, open(f"{profile}/messages", "w+") as messages:
        try:
            return papermill.execute_notebook(
                notebook,
                None,
                parameters=dict(parameters),
                kernel_name="python3",
                progress_bar=False,
                kernel_manager_class=ThisPython,
                cwd=folder,
            )
        except papermill.PapermillExecutionError as error:
            first = next((line for line in error.source.splitlines() if line.strip()), "")
            message = str(error.evalue).splitlines()[0] if error.evalue else "no message"
            failed = next(cell.id for cell in notebook.cells if cell.source == error.source)
            raise UserError(
                f"the notebook's cell {failed} ({first.strip()}) failed: {error.ename}: {message}"
            ) from None
        except Exception:
            # The kernel itself failed; its messages are the only clue.
            messages.seek(0)
            logger.error("the notebook's kernel: %s", messages.read().strip() or "no message")
            raise


def to_html(notebook: Any, title: str, kicker: str) -> str:
    """Render an executed notebook with the report's template."""
    from jupyter_core.paths import ENV_JUPYTER_PATH
    from nbconvert import HTMLExporter

    class TheirsUnread(HTMLExporter):
        """Extend nbconvert's own templates, whatever templates of these names the user has."""

        def get_prefix_root_dirs(self) -> list[str]:
            return list(ENV_JUPYTER_PATH)

    exporter = TheirsUnread(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input=True,
        exclude_anchor_links=True,
    )
    glossary = (files("convstudy.report") / "glossary.md").read_text(encoding="utf-8")
    shown = {"report_title": title, "report_kicker": kicker, "glossary": glossary}
    shown["script"] = interactive.script()
    html, _ = exporter.from_notebook_node(notebook, shown)
    return html


def render(
    results: Results,
    title: str,
    executed: Path,
    html: Path,
    compared: Path | None = None,
    language: str = ENGLISH,
) -> None:
    """Execute the report's notebook; write the executed notebook and the report.

    Args:
        executed, html: Where to write. The notebook runs in its own folder, as it would in Jupyter.
        compared: Summary of a comparison with another run, if there is one.
        language: Of the HTML file. The notebook is in English, apart from its figures.

    Raises:
        UserError: If a cell fails.
    """
    import nbformat

    # Relative to the notebook's folder, so that no path of this machine ends up in it.
    parameters = {
        name: os.path.relpath(path, executed.parent)
        for name, path in {"results": results.folder, "comparison": compared}.items()
        if path
    }
    done = execute(
        assemble(results.analyses, results.networks.is_article), parameters, executed.parent
    )
    kicker = answer(results).kicker
    if results.own_images:
        title = f"{title.removesuffix('?')}: {results.images}"
    page = catalogue(language).page(to_html(done, title, kicker))
    write_text(executed, nbformat.writes(done) + "\n")
    write_text(html, page)
    logger.info("%s: %.1f MB, opens in any browser", html, len(page.encode()) / 1e6)
