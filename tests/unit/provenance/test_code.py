import ast
import shutil
import subprocess

from convstudy.core import environment
from convstudy.provenance import code


def run(node):
    """Walk all that Python runs, which leaves out what is there for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from run(child)


def named(path, modules):
    """Give the modules that a file imports, by its syntax tree, and their parents."""
    whole = {
        f"{node.module}.{alias.name}."
        for node in run(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {
        name.removesuffix(".__init__")
        for name in modules
        if any(one.startswith(f"{name.removesuffix('.__init__')}.") for one in whole)
        and not {"logs", "provenance", "gpus"} & set(name.split("."))
    }


def test_a_digest_changes_with_what_a_script_imports_and_with_nothing_else(root, tmp_path):
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


def test_a_digest_holds_the_data_of_what_a_script_imports(root, tmp_path):
    package = tmp_path / "convstudy"
    shutil.copytree(root / "workflow/convstudy", package)

    def digests():
        names = ("check_claims", "prepare_dataset")
        scripts = [root / f"workflow/scripts/{name}.py" for name in names]
        return [code.code_digest(script, package) for script in scripts]

    claims, dataset = digests()
    with (package / "article.yaml").open("a") as file:
        file.write("# changed\n")
    assert digests()[0] != claims
    assert digests()[1] == dataset


def test_init_files_import_nothing(root):
    """All that they import would be in the digest of every module below."""
    for path in (root / "workflow/convstudy").rglob("__init__.py"):
        [docstring] = ast.parse(path.read_text()).body
        assert isinstance(docstring.value, ast.Constant)


def test_a_commit_and_changes_to_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    environment.commit.cache_clear()
    found = environment.commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "file").write_text("2")
    environment.commit.cache_clear()
    assert environment.commit(tmp_path)["dirty"] is True


def test_no_repository_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    environment.commit.cache_clear()
    assert environment.commit(tmp_path) == {"commit": None, "dirty": None}


def test_versions_and_machine_are_named():
    described = environment.describe({"training": {"backend": "tensorflow", "device": "auto"}})
    assert {"python", "keras", "optuna"} <= described["versions"].keys()
    assert described["hardware"]["cores"] >= 1
    assert described["created"].endswith("+00:00")
