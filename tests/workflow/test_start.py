"""A run starts in any folder and with anything of the user's, or one line says why it cannot."""

import os
import re
import shutil
import subprocess

import pytest
from helpers.clones import environment_of, make, python_that_installs_nothing, snakemake
from helpers.pipeline import Project

TARGET = "results/counts/models.csv"


@pytest.fixture(scope="module")
def clone(root, tmp_path_factory):
    """Return a clone with an environment of its own."""
    folder = Project(root, tmp_path_factory.mktemp("start") / "clone").folder
    environment_of(folder)
    return folder


def copy_without_environment(clone, folder):
    shutil.copytree(clone, folder, symlinks=True, ignore=shutil.ignore_patterns(".venv"))


@pytest.mark.fault(
    "The folder's name has a space, a quote or another character of the shell",
    where="before the set-up",
    lost="nothing: one line, with the link through which it works",
)
@pytest.mark.parametrize("name", ["my drive", "Dropbox (MIT)", "o'brien", "R&D", 'a "{b}" $c'])
def test_a_folder_that_snakemake_cannot_use_works_through_a_link(clone, tmp_path, name):
    folder = tmp_path / name
    copy_without_environment(clone, folder)
    setup = ("setup", f"PYTHON={python_that_installs_nothing(tmp_path)}")
    refusal = make(folder, *setup, status=2, HOME=str(tmp_path))
    assert refusal.startswith(f"Snakemake cannot start {folder}/.venv/bin/python, as its path has ")
    assert not (folder / ".venv").exists()
    # What the line says.
    [command] = re.findall(r"(ln -s .*) && make setup$", refusal, re.MULTILINE)
    command = f"{command} && make {setup[0]} {setup[1]} && make setup && pwd"
    done = subprocess.run(
        ["sh", "-c", command],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout
    link = tmp_path / "convstudy"
    assert done.stdout.endswith(f"{link}\n")
    assert (folder / ".venv/ready").read_text() == f"{link}\n"


def test_a_run_through_a_link(clone, tmp_path):
    folder, link = tmp_path / "R&D (my drive)", tmp_path / "link"
    copy_without_environment(clone, folder)
    link.symlink_to(folder)
    environment_of(link)
    done = snakemake(link, TARGET)
    assert done.returncode == 0, done.stdout
    assert (folder / TARGET).is_file()
    # By the folder's own name, jobs could not start.
    done = snakemake(folder, TARGET)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(
        f"Snakemake cannot start {folder}/.venv/bin/python"
    )


@pytest.mark.fault(
    "PYTHONPATH names other packages",
    where="before a run",
    lost="nothing: they are ignored, with a warning",
)
def test_other_packages_are_not_imported(clone, tmp_path):
    for name in ("pandas", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('too old')")
    done = snakemake(clone, "--force", TARGET, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert f"Ignored: {tmp_path} (" in done.stdout


@pytest.mark.fault(
    "Snakemake is told to work in a folder without the config",
    where="before a run",
    lost="nothing: a one-line message",
)
def test_a_folder_without_the_config(clone, tmp_path):
    command = [f"{clone}/.venv/bin/python", "-m", "snakemake", "--cores", "1", "-n", TARGET]
    for arguments, where in (
        (["--directory", str(tmp_path)], clone),
        (["-s", f"{clone}/Snakefile"], tmp_path),
    ):
        done = subprocess.run([*command, *arguments], cwd=where, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"{tmp_path} has no config/config.yaml; run Snakemake in {clone}, or link its config"
            f" there: ln -s {clone}/config {tmp_path}/config"
        )
    (tmp_path / "config").symlink_to(clone / "config")
    done = snakemake(clone, "--directory", str(tmp_path), TARGET)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / TARGET).is_file()


@pytest.mark.fault(
    "A file of `--configfile` is missing, is not UTF-8, has no keys, or is meant as a target",
    where="before a run",
    lost="nothing: a one-line message that names the file",
)
@pytest.mark.parametrize(
    ("content", "names", "says"),
    [
        ("a: 1".encode("utf-16"), ["mine.yaml"], "mine.yaml is not UTF-8 text; save it as UTF-8"),
        (b"a,b\n1,2\n", ["mine.yaml"], "mine.yaml has no keys"),
        (b"report: {title: A}", ["mine.yaml", TARGET], f"{TARGET} cannot be read"),
    ],
)
def test_a_file_that_is_no_config(clone, content, names, says):
    (clone / "mine.yaml").write_bytes(content)
    (clone / TARGET).unlink(missing_ok=True)
    done = snakemake(clone, "-n", "--configfile", *names)
    assert done.returncode == 1
    _, line = done.stdout.splitlines()
    assert line.startswith(says)
    assert (TARGET in names) == ("put it before --configfile" in line)


@pytest.mark.fault(
    "A container runs as a user without a name (`docker run -u 1234`)",
    where="before a run",
    lost="nothing, with HOME and USER set as config/README.md says",
)
@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root, and setpriv of util-linux"
)
def test_a_user_without_name_and_home(clone, root, tmp_path):
    said = (root / "config/README.md").read_text()
    variables = re.findall(r"-e (HOME|USER)=(\S+)", said)
    assert dict(variables).keys() == {"HOME", "USER"}
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    folder = tmp_path / "clone"
    copy_without_environment(clone, folder)
    environment_of(folder)
    subprocess.run(["chown", "-R", "1234:1234", folder], check=True)
    nobody = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"]
    # To reach the tests' own packages.
    nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command = [folder / ".venv/bin/python", "-m", "snakemake", "--cores", "1", "--force", TARGET]
    environment = {"PATH": os.environ["PATH"], **dict(variables)}
    done = subprocess.run(
        [*nobody, *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (folder / TARGET).stat().st_uid == 1234
