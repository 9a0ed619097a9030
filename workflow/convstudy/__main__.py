"""Commands outside of a run: ``python -m convstudy COMMAND --help`` explains each."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from convstudy.comparison import page, runs
from convstudy.comparison.numbers import DIFFERENT, EQUAL, NOTHING, Comparison
from convstudy.config import document, settings
from convstudy.core.errors import UserError
from convstudy.core.files import write_text
from convstudy.core.progress import duration
from convstudy.data.examples import EXAMPLES
from convstudy.results import reference_runs
from convstudy.results.run import Results
from convstudy.training import store

CURVES = Path("results/.state/curves")


def list_curves(chosen: argparse.Namespace) -> None:
    """List the curves in a store."""
    rows = store.stored(chosen.store)
    for row in rows:
        best = row["test_accuracy_best"]
        print(
            f"{row['name']}  {row['epochs']:>3} epochs"
            f"  {'no' if best is None else f'{best:.2%}'} best test accuracy"
            f"  {duration(row['seconds'])}  {row['bytes'] / 1e6:.1f} MB"
        )
    print(f"{len(rows)} curves in {chosen.store}")


def prune_curves(chosen: argparse.Namespace) -> None:
    """Remove old curves from a store."""
    freed = store.prune(chosen.store, chosen.days, chosen.checkpoints_only)
    print(f"freed {freed / 1e6:.1f} MB in {chosen.store}")


def print_config(chosen: argparse.Namespace) -> None:
    """Check the settings and print all of them, as the jobs get them."""
    import yaml

    config = settings.read([document.FOLDER / "config.yaml", *chosen.files], this_machine=False)
    print(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), end="")


def write_settings(_: argparse.Namespace) -> None:
    """Generate config.yaml, the tables of its README and the JSON schema from the classes."""
    for path, text in document.documents().items():
        write_text(path, text)
        print(f"wrote {path}")


def record(chosen: argparse.Namespace) -> None:
    """Record what is finished in results/ under a name, for others to compare with."""
    folder = chosen.into / chosen.name
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", chosen.name):
        raise UserError(
            f"{chosen.name!r} is not a valid name for a recorded run; use lower-case letters,"
            " digits and hyphens, for example h100-article"
        )
    if chosen.primary:
        article = document.FOLDER / "article.yaml"
        reference_runs.copy_primary(folder, chosen.primary, article)
        return
    reference_runs.record(Results(chosen.results), folder)
    print(f"recorded in {folder}; commit it, and the next report will show it")


def compare(chosen: argparse.Namespace) -> int:
    """Compare two runs: settings, verdicts, accuracies and times; write a page.

    The exit status is 0 if no setting differs and nothing else does clearly, 1 if something does, 3
    if there is nothing to compare, and 2 after a mistake in the call.
    """
    try:
        a, b = (runs.open_run(runs.find(name, chosen.recorded)) for name in (chosen.a, chosen.b))
        compared = Comparison(a, b, runs.names_of(a, b))
        print("\n".join(page.lines(compared)))
        file = "-and-".join(compared.names).replace(" ", "-")
        target = chosen.page or Path(f"reports/{file}.html")
        write_text(target, page.page(compared))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\nwrote {target}")
    return {EQUAL: 0, DIFFERENT: 1, NOTHING: 3}[compared.outcome]


def example_images(chosen: argparse.Namespace) -> None:
    """Write small real images, by class and as .npz, to try images of your own with."""
    for path in EXAMPLES[chosen.name](chosen.folder):
        print(f"wrote {path}")


COMMANDS = {
    "config": print_config,
    "settings": write_settings,
    "curves": list_curves,
    "prune": prune_curves,
    "record": record,
    "compare": compare,
    "example-images": example_images,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command given on the command line.

    Raises:
        SystemExit: With one line about a user's mistake.
    """
    parser = argparse.ArgumentParser(prog="python -m convstudy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, do in COMMANDS.items():
        about = (do.__doc__ or "").partition("\n\n")
        command = commands.add_parser(name, help=about[0], description=do.__doc__)
        command.set_defaults(do=do)
        if do is print_config:
            what = "merged over config/config.yaml; later files override earlier ones"
            command.add_argument("files", nargs="*", type=Path, metavar="FILE", help=what)
        if do in (print_config, write_settings):
            continue
        if do is example_images:
            command.add_argument("name", choices=EXAMPLES)
            command.add_argument("folder", type=Path, help="where to write them")
            continue
        if do is compare:
            what = "a recorded run's name, or a results folder"
            command.add_argument("a", metavar="A", help=what)
            command.add_argument("b", metavar="B", help=what)
            command.add_argument(
                "--page", type=Path, help="where to write it (reports/A-and-B.html)"
            )
            command.add_argument(
                "--recorded", type=Path, default=runs.RECORDED, help="recorded runs"
            )
            continue
        if do is record:
            command.add_argument("name", help="lower-case letters, digits and hyphens")
            command.add_argument("--results", type=Path, default=Path("results"), help="the run")
            command.add_argument("--into", type=Path, default=runs.RECORDED)
            command.add_argument(
                "--primary", type=Path, help="only copy the primary files, to here"
            )
            continue
        command.add_argument("--store", type=Path, default=CURVES)
        if do is prune_curves:
            command.add_argument("--days", type=float, required=True, help="at least this old")
            command.add_argument(
                "--checkpoints-only", action="store_true", help="keep the records, free the disk"
            )
    chosen = parser.parse_args(arguments)
    try:
        status = chosen.do(chosen)
        sys.stdout.flush()
    except UserError as error:
        sys.exit(str(error))
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
