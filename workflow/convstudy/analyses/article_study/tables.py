"""The report's tables: tidy data frames of results, with the article's figures beside the run's.

Accuracies are fractions of one and numbers are unrounded; the report does the rounding.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.core import environment
from convstudy.core.files import write_csv
from convstudy.core.progress import duration
from convstudy.layers.kinds import cost
from convstudy.layers.networks import ARTICLE
from convstudy.results import accuracies
from convstudy.results.accuracies import against_article, module_names
from convstudy.results.run import Results, Study, table_names
from convstudy.results.scale import counterparts
from convstudy.search.settings import STARTUP_TRIALS
from convstudy.stats import intervals
from convstudy.training import record

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
_ENDS = ("", "_low", "_high")
# Numbers of channels for which computation is compared.
CHANNELS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)


def run(results: Results) -> pd.DataFrame:
    """Describe what ran where: ``item``, ``value``, both text."""
    about, data = results.provenance, results.data
    used, available = data["used"], data["available"]
    lossy = f" ({data['encoding'].upper()}, not the exact pixels)" if data["lossy"] else ""
    rows = {
        "Run on": environment.time_of_day(about["created"]),
        "Device": _device(results),
        "Machine": environment.machine(about["hardware"]),
        "Backend": f"Keras {about['versions']['keras']} on {BACKENDS[about['backend']]}",
        "Data": "synthetic images" if data["synthetic"] else data["origin"] + lossy,
        "Training images": f"{used['train']:,} of {available['train']:,}",
        "Test images": f"{used['test']:,} of {available['test']:,}",
        **_own_images(data),
        "Network width": f"{results.run['config']['model']['width']:g}",
        "Single-kind trainings": f"{len(results.training)}",
        "Trials": ", ".join(f"{len(s.trials)} {name}" for name, s in results.studies.items()),
        "Training time": duration(_trained_seconds(results)),
        "Commit": environment.commit_name(about).removeprefix("commit "),
    }
    return pd.DataFrame(list(rows.items()), columns=["item", "value"])


def _own_images(data: Mapping[str, Any]) -> dict[str, str]:
    """Describe images of one's own: their classes, the largest one, and how they were read."""
    if "name" not in data:
        return {}
    largest = data["largest_class"]
    pixels = ", ".join(f"{one:.3f}" for one in data["pixels"]["mean"])
    deviations = ", ".join(f"{one:.3f}" for one in data["pixels"]["std"])
    return {
        "Classes": f"{len(data['classes'])}: {', '.join(data['classes'])}",
        "Largest class": f"{largest['name']}, {100 * largest['share']:.1f} % of the test images",
        "Size": " × ".join(map(str, data["shape"])),
        "Pixels, from 0 to 1": f"mean {pixels}; standard deviation {deviations}",
        "How they were read": "; ".join(data["notes"]) or "as they are",
        "Equal images": (
            "{train:,} within the training images, {test:,} within the test images,"
            " {test_in_train:,} in both"
        ).format(**data["duplicates"]),
    }


def _device(results: Results) -> str:
    """Name the devices that the networks were trained on."""
    return ", ".join(sorted(set(results.training["device"]))).replace("cpu", "CPU")


def _trained_seconds(results: Results) -> float:
    """Add up the seconds of all curves, counting each once however many trials use it."""
    tables = [results.training, *(study.trials for study in results.studies.values())]
    for name in ("module_table/table.csv", "recipes/trainings.csv"):
        tables += [results.table(name)] if results.has(name) else []
    curves = pd.concat([table[["curve", "seconds"]] for table in tables])
    return float(curves.groupby("curve")["seconds"].max().sum())


def data(results: Results) -> pd.DataFrame:
    """Describe the data: ``item``, ``value``, both text."""
    summary = results.data
    rows = {
        "Source": summary["source"],
        "Origin": summary["origin"],
        "Encoding": f"{summary['encoding']}, {'lossy' if summary['lossy'] else 'lossless'}",
        "Training images used": f"{summary['used']['train']:,}",
        "Test images used": f"{summary['used']['test']:,}",
        "Duplicates": _duplicates(summary),
        "Seed of the selection": str(summary["seed"]),
        "SHA-256 of the images used": summary["digest"],
    }
    return pd.DataFrame(list(rows.items()), columns=["item", "value"])


def _duplicates(summary: Mapping[str, Any]) -> str:
    # Runs of earlier versions did not count them.
    found = summary.get("duplicates")
    if found is None:
        return "not counted"
    if not any(found.values()):
        return "none"
    return (
        f"{found['train']:,} within the training images, {found['test']:,} within the test images;"
        f" {found['test_in_train']:,} test images are also training images"
    )


def verification(results: Results) -> pd.DataFrame:
    """Summarise the checks: ``check``, ``cases``, ``passed``, ``largest_error`` (absolute)."""
    examples, grid = results.verification["examples"], results.verification["grid"]
    printed = examples["id"] != "reference"
    mistaken = grid["mutation"].notna()
    parts = {
        "Printed or stated numbers against NumPy and Keras": examples[printed],
        "Worked examples, Keras against NumPy": examples[~printed],
        "Identities between layers": results.verification["identities"],
        "Further settings, Keras against NumPy": grid[~mistaken],
        "Deliberate mistakes caught by the same comparison": grid[mistaken],
        "Parameter counts, closed form against Keras": results.verification["counts"],
    }
    rows = []
    for label, table in parts.items():
        errors = [name for name in ("abs_error", "max_abs_error") if name in table]
        small = errors and not table.equals(grid[mistaken])
        error = table[errors[0]].max() if small else None
        rows.append((label, len(table), int(table["passed"].sum()), error))
    return pd.DataFrame(rows, columns=["check", "cases", "passed", "largest_error"])


def counts(results: Results) -> pd.DataFrame:
    """Compare with the counts printed in the article: ``model``, both, their difference."""
    ours = results.counts.set_index("model")["parameters"]
    rows = [
        (model, printed, int(ours[model]), int(ours[model]) - printed)
        for model, printed in facts.parameter_counts().items()
    ]
    return pd.DataFrame(rows, columns=["model", "article", "this_run", "difference"])


def single_kind(results: Results) -> pd.DataFrame:
    """Compare the single-kind networks with the article.

    Returns:
        One row per kind, in the article's order by accuracy or, for other networks, in the
        config's: the columns of `convstudy.results.accuracies.against_article`; ``minus_above`` and
        ``minus_reference``, the differences from the row above and from the first kind, each with
        the ends of its 95 % interval and its degrees of freedom (see `intervals.crossed_error`),
        and ``article_minus_above``.
    """
    networks = results.networks
    by_kind = {str(kind): part for kind, part in results.training.groupby("kind")}
    printed = pd.Series(facts.accuracies()).sort_values(ascending=False)
    if not networks.is_article:
        printed = pd.Series(nan, index=[kind for kind in networks.kinds if kind in by_kind])
    right = {kind: record.right(part, "test_accuracy_best") for kind, part in by_kind.items()}
    table = pd.DataFrame(against_article(kind, networks, by_kind[kind]) for kind in printed.index)
    above: dict[str, list[tuple[float, ...]]] = {"minus_above": [], "minus_reference": []}
    for place, kind in enumerate(printed.index):
        for name, other in zip(above, (printed.index[place - 1], networks.reference), strict=True):
            pair = [right[kind], right[other]]
            known = kind != other and place and all(len(one) for one in pair)
            value, error, dof = intervals.crossed_error(pair, (1, -1)) if known else (nan, nan, nan)
            above[name].append((value, *intervals.t_interval(value, error, dof), dof))
    for name, rows in above.items():
        table[[f"{name}{end}" for end in (*_ENDS, "_dof")]] = rows
    if not networks.is_article:
        return table.drop(columns=["article", "difference"])
    return table.assign(article_minus_above=printed.diff().to_numpy())


def five_best(results: Results, study: Study) -> pd.DataFrame:
    """Join a study's best trials with the article's, by rank.

    Returns:
        ``rank``, then ``module``, ``objective``, ``parameters``, ``test_accuracy`` of this run, and
        the same with the prefix ``article_``; cells are empty where one side has fewer. With other
        networks than the article's, only this run's.
    """
    best = study.best.assign(module=module_names(study.best) if len(study.best) else [])
    columns = ["module", "objective", "parameters", "test_accuracy"]
    ours = best.set_index("rank")[[*columns, *best.filter(["balanced_accuracy"])]]
    if not results.networks.is_article:
        return ours.reset_index()
    theirs = article_best(study.penalised).set_index("rank")[columns].add_prefix("article_")
    return ours.join(theirs, how="outer").reset_index()


def article_best(penalised: bool) -> pd.DataFrame:
    """Tabulate one of the article's studies.

    Returns:
        ``rank``, ``module``, ``objective``, ``parameters``, ``test_accuracy``.
    """
    columns = ["rank", "module", "objective", "parameters", "test_accuracy"]
    table = pd.DataFrame(facts.best(penalised)).reindex(columns=columns)
    # The article prints only some counts; these agree with the ones it prints.
    counted = [ARTICLE.parameters(module.split("-")) for module in table["module"]]
    return table.assign(parameters=counted)


def studies(results: Results) -> pd.DataFrame:
    """Summarise the studies.

    Returns:
        One row per study: ``study``, ``weight`` (for each ``unit`` parameters), ``unit``,
        ``trials``, ``completed``, ``pruned``, ``failed``, ``combinations``,
        ``article_trials``, ``article_completed``, and epochs: ``epochs_trained``, ``epochs_reused``
        (read from the store), ``epochs_saved`` (by pruning).
    """
    rows, article = [], results.networks.is_article
    for name, study in results.studies.items():
        states = study.trials["state"].value_counts()
        trained = int(study.trials["epochs_trained"].sum())
        reused = int(study.trials["epochs_reused"].sum())
        most = len(study.trials) * study.summary["settings"]["epochs"]
        completed, tried = facts.completed(study.penalised)
        rows.append(
            {
                "study": name,
                "weight": study.penalty["weight"],
                "unit": study.penalty["unit"],
                "trials": len(study.trials),
                "completed": int(states.get("COMPLETE", 0)),
                "pruned": int(states.get("PRUNED", 0)),
                "failed": int(states.get("FAIL", 0)),
                "combinations": module_names(study.trials).nunique(),
                **({"article_trials": tried, "article_completed": completed} if article else {}),
                "epochs_trained": trained,
                "epochs_reused": reused,
                "epochs_saved": most - trained - reused,
            }
        )
    return pd.DataFrame(rows)


def all_trials(results: Results) -> pd.DataFrame:
    """Stack the trials of all studies, with ``study`` and ``module``."""
    parts = [s.trials.assign(study=name) for name, s in results.studies.items()]
    trials = pd.concat(parts, ignore_index=True)
    return trials.assign(module=module_names(trials))


def trials(results: Results) -> pd.DataFrame:
    """Rank the trials of each study.

    Returns:
        ``study``, ``counterpart`` (the article's study with the same objective, for the first such
        study), ``number``, ``state``, ``rank`` (by objective, among completed trials),
        ``module``, ``depthwise_layers``, ``parameters``, and ``test_accuracy`` and
        ``objective`` with the ends of their 95 % intervals, ``..._low`` and ``..._high``.
    """
    table = all_trials(results)
    names = counterparts(results.run["config"]) if results.networks.is_article else {}
    ranks = table.groupby("study")["objective"].rank(method="first")
    ends = [intervals.wilson(accuracy, results.test_images) for accuracy in table["test_accuracy"]]
    low, high = (pd.Series(end, table.index, float) for end in zip(*ends, strict=True))
    # The objective is a constant minus the accuracy, so its interval has the same width.
    table = table.assign(
        counterpart=table["study"].map(names),
        depthwise_layers=table["module"].str.count("depthwise"),
        rank=ranks.astype("Int64"),
        test_accuracy_low=low,
        test_accuracy_high=high,
        objective_low=table["objective"] + table["test_accuracy"] - high,
        objective_high=table["objective"] + table["test_accuracy"] - low,
    )
    measured = [f"{name}{end}" for name in ("test_accuracy", "objective") for end in _ENDS]
    about = ["study", "counterpart", "number", "state", "rank", "module"]
    about += ["depthwise_layers", "parameters"]
    return table[about + measured]


def objectives(results: Results) -> pd.DataFrame:
    """Compute the penalised objective of every network whose accuracy the article prints.

    Returns:
        ``table`` (single_kind, accuracy or penalised), ``rank``, ``module``, ``test_accuracy`` and
        ``objective`` as printed, ``parameters`` as counted here, ``computed`` (the objective from
        both) and ``needed``, the accuracy at which the network would equal the penalised study's
        winner. The module that the study never tried has the last one only.
    """
    kinds = [{"module": kind, "test_accuracy": one} for kind, one in facts.accuracies().items()]
    untried = [{"module": facts.figure("studies.penalised.never_tried")}]
    parts = {
        "single_kind": kinds,
        "accuracy": facts.best(penalised=False),
        "penalised": [*facts.best(penalised=True), *untried],
    }
    columns = ["table", "rank", "module", "test_accuracy", "objective"]
    printed = pd.DataFrame(
        [{"table": name, **row} for name, rows in parts.items() for row in rows]
    ).reindex(columns=columns)
    weight, unit = facts.penalty()
    counted = results.counts.set_index("model")["parameters"]
    parameters = printed["module"].map(counted)
    paid = weight * parameters / unit
    return printed.assign(
        rank=printed["rank"].astype("Int64"),
        parameters=parameters,
        computed=1 - printed["test_accuracy"] + paid,
        needed=1 - facts.figure("studies.penalised.best.0.objective") + paid,
    )


def relations(results: Results) -> pd.DataFrame:
    """Compute what the article says of its numbers together.

    Returns:
        ``id``, ``value``: Spearman's rank correlations (C. Spearman, Am. J. Psychol. 15, 72, 1904)
        over all modules and over the printed ranks of the penalised study, the number of
        neighbouring ranks there whose accuracies are in the opposite order, the penalty of a
        million parameters, and the epochs of a study and of a grid search.
    """
    modules = results.counts.dropna(subset=["layer3"])
    trials, epochs = facts.completed(penalised=True)[1], facts.figure("studies.epochs")
    weight, unit = facts.penalty()
    ranked = objectives(results).query("table == 'penalised' and rank.notna()")
    rows = {
        "parameters_with_macs": _spearman(modules["parameters"], modules["macs"]),
        "parameters_with_rank": _spearman(ranked["parameters"], ranked["rank"]),
        "accuracy_inversions": int((ranked["test_accuracy"].diff() > 0).sum()),
        "penalty_per_million": weight * 1e6 / unit,
        "study_epochs": trials * epochs,
        "grid_epochs": len(modules) * epochs,
    }
    return pd.DataFrame(list(rows.items()), columns=["id", "value"])


def _spearman(one: pd.Series, other: pd.Series) -> float:
    return float(one.rank().corr(other.rank().astype(float)))


# The article's two modules with two depthwise layers.
PLACES = ("conv-depthwise-depthwise", "depthwise-depthwise-conv")


def contrasts(results: Results) -> pd.DataFrame:
    """Compare modules' mean accuracies in the module table, two by two, with 95 % intervals.

    Returns:
        ``id``, ``module``, ``what`` (in words), ``value``, ``low``, ``high``, ``error`` (standard
        error) and ``dof`` (its degrees of freedom); empty without the module table. ``front``: each
        module's mean minus that of each module with as many parameters or fewer, on these images;
        it lies on the front of parameters and error if all are positive. ``first``: the reference
        minus each other module. ``place_minus_number``: how much more accuracy the place of two
        depthwise layers changes than a second one does, on average over its places, in either
        direction; over new trainings and images, see `intervals.crossed`.
    """
    columns = ["id", "module", "what", "value", "low", "high", "error", "dof"]
    if not results.has("module_table/table.csv"):
        return pd.DataFrame(columns=columns)
    table = results.table("module_table/table.csv")
    found, dof = accuracies.means(table)
    rows: list[tuple[Any, ...]] = []
    for module, row in found.iterrows():
        others = found.drop(str(module))
        rivals = {"front": others[others["parameters"] <= row["parameters"]], "first": others}
        for name, some in rivals.items():
            if name == "front" or module == results.networks.reference_module:
                rows += [(name, *one) for one in ahead(row, some, dof)]
    right = {
        str(module): record.right(part, "test_accuracy_best")
        for module, part in table.groupby("module")
    }
    weights = [place_minus_number(sign) for sign in (1, -1)]
    if all(len(right.get(module, ())) for module in weights[0]):
        trained = [right[module] for module in weights[0]]
        for one, word in zip(weights, ("minus", "plus"), strict=True):
            value, error, its = intervals.crossed_error(trained, list(one.values()))
            what = f"change by place {word} change by a second depthwise layer"
            rows.append(("place_minus_number", None, what, value, error, its))
    compared = pd.DataFrame(rows, columns=[*columns[:4], "error", "dof"])
    ends = intervals.t_interval(compared["value"], compared["error"], compared["dof"])
    return compared.assign(**dict(zip(("low", "high"), ends, strict=True)))[columns]


def ahead(module: pd.Series, rivals: pd.DataFrame, dof: int) -> Iterator[tuple[Any, ...]]:
    """Yield how far a module is ahead of each rival: module, what, value, error, dof."""
    for rival, row in rivals.iterrows():
        what = f"{module.name} minus {rival}"
        error = float(np.hypot(module["error"], row["error"]))
        yield module.name, what, module["mean"] - row["mean"], error, dof


def place_minus_number(sign: int) -> dict[str, float]:
    """Return by module the weight of its accuracy: the change by place, less that by number."""
    weights = dict(zip(PLACES, (1.0, -1.0), strict=True))
    for number, change in ((1, -sign), (2, sign)):
        kinds = ["depthwise"] * number + ["conv"] * (ARTICLE.module_layers - number)
        modules = sorted({"-".join(one) for one in permutations(kinds)})
        for module in modules:
            weights[module] = weights.get(module, 0.0) + change / len(modules)
    return weights


def article_studies(_results: Results) -> pd.DataFrame:
    """Compute which of the article's completed trials TPE can have drawn, with the defaults.

    Returns:
        ``study``, ``completed`` and ``trials`` as printed, ``startup_trials`` (completed trials
        before TPE begins, in Optuna 0.5.0), ``completed_by_tpe`` (completed trials that TPE can
        have drawn), ``missed_by_chance`` (the probability that as many uniform draws miss a given
        module).
    """
    rows = []
    for name in ("accuracy", "penalised"):
        completed, trials = facts.completed(name == "penalised")
        by_tpe = max(0, completed - STARTUP_TRIALS)
        missed = (1 - 1 / facts.figure("studies.combinations")) ** trials
        rows.append((name, completed, trials, STARTUP_TRIALS, by_tpe, missed))
    columns = ["study", "completed", "trials", "startup_trials", "completed_by_tpe"]
    columns.append("missed_by_chance")
    return pd.DataFrame(rows, columns=columns)


def savings(_results: Results) -> pd.DataFrame:
    """Compare the computation of 3×3 layers with equal numbers of filters and channels.

    Returns:
        ``channels``; multiply-accumulates per cell of the feature map, which are also the weights,
        ``conv``, ``depthwise``, ``separable``; ``depthwise_saving``, ``separable_saving`` (Conv2D's
        divided by theirs).
    """
    rows = []
    for channels in CHANNELS:
        macs = {
            name: cost(kind.layers("layer", channels)[0], (1, 1, channels)).macs
            for name, kind in ARTICLE.kinds.items()
        }
        saved = {f"{name}_saving": macs["conv"] / macs[name] for name in list(macs)[1:]}
        rows.append({"channels": channels, **macs, **saved})
    return pd.DataFrame(rows)


def tried_modules(results: Results) -> pd.DataFrame:
    """Return accuracy and parameters of all modules or, without their table, of the trials.

    Returns:
        ``module``, ``parameters`` (at the run's width), ``test_accuracy``; with the module
        table, this is a mean over replicates with its 95 % interval, ``low`` and ``high``.
    """
    if results.has("module_table/summary.csv"):
        summary = results.table("module_table/summary.csv").rename(
            columns={"mean": "test_accuracy"}
        )
        columns = ["module", "parameters", "test_accuracy", "low", "high"]
        return summary[columns].dropna(axis="columns", how="all")
    trials = all_trials(results)
    # Both studies may use the same training.
    complete = trials[trials["state"] == "COMPLETE"].drop_duplicates("curve")
    return complete[["module", "parameters", "test_accuracy"]]


def pareto_front(trials: pd.DataFrame) -> pd.DataFrame:
    """Keep the trials that no other trial beats in both parameters and accuracy.

    Args:
        trials: With ``parameters`` and ``test_accuracy``.

    Returns:
        The trials by increasing parameters, and so by increasing accuracy.
    """
    ordered = trials.sort_values(["parameters", "test_accuracy"], ascending=[True, False])
    best_so_far = ordered["test_accuracy"].cummax().shift(fill_value=-1.0)
    return ordered[ordered["test_accuracy"] > best_so_far]


def versions(results: Results) -> pd.DataFrame:
    """List the packages: ``package``, ``version``."""
    return pd.DataFrame(
        list(results.provenance["versions"].items()), columns=["package", "version"]
    )


def write_tables(results: Results, folder: Path) -> None:
    """Write all tables as CSV.

    Args:
        folder: Where to write the files of `convstudy.results.run.table_names`.
    """
    # Each is made by the function of the same name; recorded runs are tabulated elsewhere.
    names = set(table_names([], results.networks.is_article)) - {"runs", "article_scale"}
    made = {name: globals()[name](results) for name in sorted(names)}
    for name, study in results.studies.items():
        made[f"best_{name}"] = five_best(results, study)
    for name, table in made.items():
        # Counts hold without CIFAR-10; accuracies on synthetic images are not comparable.
        if results.synthetic and name != "counts":
            theirs = [column for column in table if column.startswith("article")]
            table = table.drop(columns=[*theirs, "difference"], errors="ignore")
            if name.startswith("best_"):
                table = table.dropna(subset=["module"])
        write_csv(folder / f"{name}.csv", table)
