"""The table of faults in docs/reliability.md, collected from the tests that inject them.

(cd tests && python -m helpers.faults) updates it.
"""

import ast
from collections.abc import Iterator

from helpers.paths import ROOT, TESTS

DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- faults: begin (cd tests && python -m helpers.faults) -->", "<!-- faults: end -->"


def faults() -> Iterator[tuple[str, str, str, str]]:
    """Yield the fault, where it is injected, what is lost, and the test, for every mark.

    Marks are on tests or, within `pytest.mark.parametrize`, on single cases.
    """
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            parts = (part for mark in node.decorator_list for part in ast.walk(mark))
            for mark in parts:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    given = {key.arg: ast.literal_eval(key.value) for key in mark.keywords}
                    what = ast.literal_eval(mark.args[0])
                    test = f"{path.relative_to(ROOT)}::{node.name}"
                    yield what, given["where"], given["lost"], test


def table() -> str:
    """Write the table as Markdown."""
    lines = ["| fault | where | what is lost | asserted by |", "| --- | --- | --- | --- |"]
    for what, where, lost, test in faults():
        path, _, name = test.partition("::")
        lines.append(f"| {what} | {where} | {lost} | [`{name}`](../{path}) |")
    return "\n".join(lines)


def renewed() -> str:
    """Return the document with the current table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(), encoding="utf-8")
