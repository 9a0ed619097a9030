"""What is wrong with the config files that Snakemake reads before the workflow."""

from collections.abc import Sequence
from pathlib import Path

from convstudy.config import yaml_file
from convstudy.core.errors import UserError

DEFAULT = "config/config.yaml"
# Snakemake's functions that read them; their names are in its errors.
READERS = ("load_configfile", "parse_config", "Config file ")


def mistake(arguments: Sequence[str]) -> str:
    """Return what is wrong with a file, or what was meant as a target; "" if nothing is known.

    Args:
        arguments: Of Snakemake's command line.
    """
    named = _values(arguments, "--configfile")
    for name in [DEFAULT, *named]:
        try:
            if isinstance(yaml_file.read(Path(name)).content, dict):
                continue
            what = f"{name} has no keys, so it is no config"
        except UserError as error:
            what = str(error)
        if name in named[1:]:
            what += "; if it is a target, put it before --configfile, which takes all that follows"
        return what
    for pair in _values(arguments, "--config"):
        if "=" not in pair:
            return (
                f"--config: {pair} is not KEY=VALUE; if it is a target, put it before --config,"
                " which takes all that follows"
            )
    return ""


def _values(arguments: Sequence[str], option: str) -> list[str]:
    """Return the values of an option that takes all up to the next option."""
    values: list[str] = []
    taking = False
    for argument in arguments:
        if argument.startswith("-"):
            name, _, value = argument.partition("=")
            taking = name in (option, f"{option}s")
            values += [value] if taking and value else []
        elif taking:
            values.append(argument)
    return values
