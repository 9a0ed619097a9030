"""A copy of the workflow in its own folder, with a tiny configuration."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from convstudy.config.settings import merged
from convstudy.core.files import write_csv
from convstudy.layers import counts
from convstudy.layers.networks import ARTICLE, Networks
from convstudy.provenance.archive import SOURCES

from helpers.paths import ROOT
from helpers.results import RECORDED

STUDY = {
    "trials": 4,
    "sampler": {"startup_trials": 2},
    "pruner": {"startup_trials": 2, "warmup_steps": 0},
}
TINY = {
    "data": {"source": "synthetic", "train_images": 200, "test_images": 100},
    "model": {"width": 0.0625},
    "training": {"epochs": 2, "replicates": 1, "batch_size": 50},
    "search": {"epochs": 2, "studies": {"accuracy": STUDY, "penalised": STUDY}},
}
# Networks that are quickly built, which takes most of a tiny run's time: one stage of two layers.
SHALLOW = {
    "width": 0.0625,
    "module_layers": 2,
    "stages": [{"channels": 64, "layers": 2, "pooling": 2}],
}
VERIFICATION = (
    *(f"verification/{name}.csv" for name in ("examples", "identities", "grid", "statements")),
    "counts/families.csv",
)


def slurm_python() -> str:
    """Return a Python with Snakemake's plugin for SLURM, or skip."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        return sys.executable
    python = ROOT / ".venv-slurm/bin/python"
    if not python.exists():
        pytest.skip("Snakemake's plugin for SLURM is not installed; run: make setup EXTRA=slurm")
    return str(python)


def lay_verification(folder: Path, networks: Networks = ARTICLE) -> None:
    """Lay recorded checks of layers and statements in place, and checks of a few counts."""
    for name in VERIFICATION:
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(RECORDED.folder / name, path)
    table = counts.verify(networks, TINY["model"]["width"], most=5)
    assert table["passed"].all()
    write_csv(folder / "results/verification/counts.csv", table)


class Project:
    """A copy of the workflow in its own folder.

    Args:
        root: The project's folder.
        folder: The folder of the copy.
        where: Snakemake's arguments on where the jobs run.
        tiny: Overlay for the config.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        where: tuple[str, ...] = ("--cores", "2"),
        tiny: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.where = where
        self.tiny = tiny or TINY
        folder.mkdir(exist_ok=True)
        # workflow/profiles is a link to the profiles.
        for name in SOURCES:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, symlinks=True)
            else:
                shutil.copy(root / name, folder / name)

    def lay_verification(self, networks: Networks = ARTICLE) -> None:
        lay_verification(self.folder, networks)

    def command(self, *arguments: str, **config: dict) -> list[str]:
        overlay = self.folder / "tiny.yaml"
        overlay.write_text(yaml.safe_dump(merged(self.tiny, config)))
        on_slurm = any("slurm" in argument for argument in self.where)
        python = slurm_python() if on_slurm else sys.executable
        command = [python, "-m", "snakemake", *self.where, *arguments]
        return [*command, "--configfile", str(overlay)]

    def environment(self) -> dict[str, str]:
        """Return an environment in which the copy uses its own library."""
        return {**os.environ, "PYTHONPATH": str(self.folder / "workflow")}

    def start(
        self, *arguments: str, new_shell: bool = True, screen: int | None = None, **config: dict
    ) -> subprocess.Popen:
        """Start a run whose output goes to a file, or to a terminal's file descriptor."""
        environment = self.environment()
        if new_shell and config.get("data", {}).get("source") != "directory":
            environment.pop("CONVSTUDY_CIFAR10", None)
        with (self.folder / "output.txt").open("w") as output:
            return subprocess.Popen(
                self.command(*arguments, **config),
                cwd=self.folder,
                env=environment,
                stdout=screen or output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Background commands of a shell ignore Ctrl-C, and so do their children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def run(self, *arguments: str, **options: Any) -> tuple[int, str]:
        code = self.start(*arguments, **options).wait()
        return code, self.said()

    def succeed(self, *arguments: str, **options: Any) -> str:
        """Run, check that it succeeded, and return the output."""
        code, output = self.run(*arguments, **options)
        assert code == 0, output
        return output

    def said(self) -> str:
        """Return the output of the last run so far."""
        return (self.folder / "output.txt").read_text()

    def jobs(self, *arguments: str, **config: dict) -> set[str]:
        """Return the rules that a run would execute."""
        said = self.succeed("--dry-run", *arguments, **config)
        _, _, table = said.partition(" would run:\n")
        return {line.split()[1] for line in table.partition("\n\n")[0].splitlines()}

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / "results" / name)
