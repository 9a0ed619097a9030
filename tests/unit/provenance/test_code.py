import ast
import shutil

import pytest
from convstudy.provenance import code

# Modules that record where and how a job ran, without changing its results.
FRAME = ("convstudy.provenance.job.", "convstudy.core.environment.", "convstudy.core.gpus.")


def run(node):
    """Walk the code that Python runs, leaving out what is only for type checkers."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from run(child)


def named(path, modules):
    """Return the modules that a file imports, from its syntax tree, and their parents."""
    whole = {
        f"{node.module}.{alias.name}."
        for node in run(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if not f"{node.module}.{alias.name}.".startswith(FRAME)
    }
    return {
        name.removesuffix(".__init__")
        for name in modules
        if any(one.startswith(f"{name.removesuffix('.__init__')}.") for one in whole)
    }


def test_a_digest_changes_with_what_a_script_imports_alone(root, tmp_path):
    package = tmp_path / "convstudy"
    shutil.copytree(root / "workflow/convstudy", package)
    scripts = sorted((root / "workflow/scripts").glob("*.py"))
    modules = sorted(package.rglob("*.py"))
    names = [".".join(path.relative_to(tmp_path).with_suffix("").parts) for path in modules]
    said = {path: named(path, names) for path in [*modules, *scripts]}
    by_name = {
        name.removesuffix(".__init__"): path for name, path in zip(names, modules, strict=True)
    }

    def behind(path):
        found, ahead = set(), [path]
        while ahead:
            new = said[ahead.pop()] - found
            found |= new
            ahead += [by_name[name] for name in new]
        return {by_name[name] for name in found}

    def digests():
        return {script: code.code_digest(script, package) for script in scripts}

    before = digests()
    for module in modules:
        text = module.read_text()
        module.write_text(f"{text}# changed\n")
        after = digests()
        changed = {script for script in scripts if after[script] != before[script]}
        assert changed == {script for script in scripts if module in behind(script)}, module
        module.write_text(text)


@pytest.mark.parametrize(
    ("data", "changed"),
    [("article/facts.yaml", (True, False)), ("training/estimate.speeds.csv", (False, False))],
)
def test_a_digest_holds_the_data_of_what_a_script_imports(root, tmp_path, data, changed):
    package = tmp_path / "convstudy"
    shutil.copytree(root / "workflow/convstudy", package)

    def digests():
        names = ("check_claims", "prepare_dataset")
        scripts = [root / f"workflow/scripts/{name}.py" for name in names]
        return [code.code_digest(script, package) for script in scripts]

    claims, dataset = digests()
    with (package / data).open("a") as file:
        file.write("# changed\n")
    assert (digests()[0] != claims, digests()[1] != dataset) == changed


def test_init_files_import_nothing(root):
    """Anything they import would be part of the digest of every module below."""
    for path in (root / "workflow/convstudy").rglob("__init__.py"):
        [docstring] = ast.parse(path.read_text()).body
        assert isinstance(docstring.value, ast.Constant)


def test_who_finds_modules_by_their_place_is_hashed_whole(root):
    """The figures, tables and sentences of the analyses are not found through imports."""
    package, rules = root / "workflow/convstudy", root / "workflow/rules"
    found = [
        script.name
        for script in (root / "workflow/scripts").glob("*.py")
        if package / "report/parts.py" in code.imported(script, package)
    ]
    assert "plot_figures.py" in found
    # The notebook imports what it shows.
    for name in (*found, "render_report.py"):
        [rule] = [
            text
            for path in rules.glob("*.smk")
            for text in path.read_text().split("\nrule ")
            if f"scripts/{name}" in text
        ]
        assert "code=code_digest()," in rule, name
