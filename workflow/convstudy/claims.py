"""The article's claims, each with a verdict and a sentence whose numbers come from this run.

Arithmetic and counts are decided exactly. What depends on trained networks is decided only by a
run of the article's size on the real images; a smaller run says what it saw.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from convstudy import article, tables
from convstudy.layers import KINDS, cost
from convstudy.results import Results, Study

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
MINIMUM_REPLICATES = 3
ARTICLE_TEST_IMAGES = 10_000


@dataclass(frozen=True)
class Claim:
    """A claim and what this run says to it.

    Attributes
    ----------
    claim : str
        What the article says.
    verdict : str
        ``reproduced``, ``not reproduced`` or ``undecided``.
    evidence : str
        What this run saw.
    basis : str
        ``arithmetic`` or ``training``.
    """

    claim: str
    verdict: str
    evidence: str
    basis: str


def worked_examples(results: Results) -> Claim:
    """Check the numbers that the article prints for its worked examples."""
    table = results.verification["examples"]
    printed = table[tables.against_print(table)]
    evidence = (
        f"{int(printed['passed'].sum())} of {len(printed)} comparisons of printed or stated numbers"
        " with NumPy and Keras agree; the largest difference is"
        f" {printed['abs_error'].max():.1g}, and the article prints rounded numbers."
    )
    claim = "The worked examples of the four layers give the printed numbers."
    return _exact(claim, bool(table["passed"].all()), evidence)


def identities(results: Results) -> Claim:
    """Check the equalities between layers that the article states."""
    table = results.verification["identities"]
    evidence = f"{int(table['passed'].sum())} of {len(table)} checks hold to within rounding."
    claim = (
        "A separable layer equals a Conv2D with multiplied kernels, a depthwise layer is a Conv2D"
        " without the sum over channels, and Conv2DTranspose is its inverse in the sense of the"
        " adjoint."
    )
    return _exact(claim, bool(table["passed"].all()), evidence)


def parameter_counts(results: Results) -> Claim:
    """Check the parameter counts that the article prints."""
    table = tables.counts(results)
    agree = int((table["difference"] == 0).sum())
    evidence = f"{agree} of {len(table)} printed counts are met to the unit."
    claim = "The networks have the printed numbers of parameters."
    return _exact(claim, agree == len(table), evidence)


def parameter_order(results: Results) -> Claim:
    """Check the order of the single-kind networks by parameters."""
    ours = results.counts.set_index("model")["parameters"]
    conv, separable, depthwise = (int(ours[kind]) for kind in _ORDER)
    evidence = f"{conv:,} against {separable:,} against {depthwise:,} parameters."
    claim = f"By parameters, {_chain()}."
    return _exact(claim, conv > separable > depthwise, evidence)


def one_thirtieth(results: Results) -> Claim:
    """Check the article's ratio of depthwise to Conv2D parameters."""
    ours = results.counts.set_index("model")["parameters"]
    ratio = ours["conv"] / ours["depthwise"]
    stated = article.load()["single_kind"]["depthwise_ratio"]
    agrees = round(ratio, -1) == stated
    rounded = f"{'' if agrees else 'not '}1/{stated} to one significant digit"
    evidence = f"It has 1/{ratio:.1f} of them, which is {rounded}."
    claim = f"The depthwise network has nearly 1/{stated} of the Conv2D network's parameters."
    return _exact(claim, bool(agrees), evidence)


def printed_objectives(results: Results) -> Claim:
    """Check the objectives that the article prints against its accuracies and our counts."""
    printed = tables.article_best(penalised=True).dropna(subset=["objective"])
    weight, unit = article.penalty()
    computed = 1 - printed["test_accuracy"] + weight * printed["parameters"] / unit
    largest = (computed - printed["objective"]).abs().max()
    evidence = (
        f"With the counts of this run, {len(printed)} printed objectives are off by at most"
        f" {largest:.5f}, and the last printed digit is 0.0001."
    )
    claim = (
        f"The penalised objective is the test error plus {100 * weight:g} points for every"
        f" {unit:,} parameters."
    )
    # Two rounded numbers enter: half a unit in the last digit each, and floating point.
    return _exact(claim, bool(largest <= 0.0001 + 1e-9), evidence)


def separable_saving(_results: Results) -> Claim:
    """Check that a separable layer saves more computation the more channels it has."""
    few, many = 4, 256
    saved = {
        channels: cost(KINDS["conv"].layer("layer", channels), (8, 8, channels)).macs
        / cost(KINDS["separable"].layer("layer", channels), (8, 8, channels)).macs
        for channels in (few, many)
    }
    evidence = (
        f"A 3×3 separable layer needs {saved[few]:.1f} times fewer multiply-accumulates than a"
        f" Conv2D with {few} channels and {saved[many]:.1f} times fewer with {many}. How much"
        " time that saves depends on the machine; see the training speed below."
    )
    claim = "Separable layers save computation above all where there are many channels."
    return _exact(claim, saved[many] > saved[few], evidence)


def accuracy_levels(results: Results) -> Claim:
    """Compare the single-kind accuracies with the article's figures."""
    table = tables.single_kind(results)
    agrees: bool | None = True
    for row in table.itertuples():
        low, high = tables.wilson(row.article, ARTICLE_TEST_IMAGES)
        agrees = agrees and row.low <= high and low <= row.high
    saw = "; ".join(
        f"{row.label} {_percent(row.mean)} ({_points(row.difference)} points)"
        for row in table.itertuples()
    )
    claim = "The single-kind networks reach " + ", ".join(
        f"{_percent(row.article, 2)} ({row.label})" for row in table.itertuples()
    )
    return _trained(results, claim + ".", agrees, f"Best test accuracy: {saw}.", replicated=True)


def accuracy_order(results: Results) -> Claim:
    """Compare the order of the single-kind accuracies with the article's."""
    table = tables.single_kind(results).set_index("kind").loc[list(_ORDER)]
    signs = [
        _sign(better.low, better.high, worse.low, worse.high)
        for better, worse in zip(
            list(table.itertuples())[:-1], list(table.itertuples())[1:], strict=True
        )
    ]
    saw = ", ".join(f"{row.label} {_percent(row.mean)}" for row in table.itertuples())
    claim = f"By test accuracy, {_chain()}."
    return _trained(results, claim, _all_positive(signs), f"{saw}.", replicated=True)


def conv_wins(results: Results) -> Claim:
    """See which module wins when accuracy alone counts."""
    claim = "By accuracy alone, conv-conv-conv wins."
    study = _study(results, penalised=False)
    if study is None:
        return Claim(claim, UNDECIDED, "This run has no study without a penalty.", "training")
    ours = _best_by_module(study.completed, "test_accuracy", highest=True)
    return _winner(results, claim, ours, lambda module: module == "conv-conv-conv", True)


def separable_wins(results: Results) -> Claim:
    """See which module wins when parameters count."""
    claim = "With the penalty on parameters, modules centred on separable layers win (Xception)."
    study = _study(results, penalised=True)
    if study is None:
        return Claim(claim, UNDECIDED, "This run has no study with a penalty.", "training")
    ours = _best_by_module(study.completed, "objective", highest=False)

    def centred(module: str) -> bool:
        return module.split("-").count("separable") >= 2

    return _winner(results, claim, ours, centred, False)


def mobilenet_does_well(results: Results) -> Claim:
    """See where conv-depthwise-depthwise ends in the penalised study."""
    claim = "With the penalty, conv-depthwise-depthwise (MobileNet) is among the five best."
    study, module = _study(results, penalised=True), "conv-depthwise-depthwise"
    if study is None:
        return Claim(claim, UNDECIDED, "This run has no study with a penalty.", "training")
    drawn = int((tables.module_names(study.trials) == module).sum())
    if not drawn:
        return Claim(claim, UNDECIDED, f"{module} was never drawn in this study.", "training")
    ranked = tables.module_names(study.best.sort_values("rank").head(5)).tolist()
    found = module in ranked
    times = "once" if drawn == 1 else f"{drawn} times"
    place = f"its best rank is {ranked.index(module) + 1}" if found else "it is not among them"
    return _trained(results, claim, found, f"{module} was drawn {times}; {place}.")


def place_matters(results: Results) -> Claim:
    """Compare the two places that the article had for a Conv2D beside two depthwise layers."""
    first, last = "conv-depthwise-depthwise", "depthwise-depthwise-conv"
    claim = (
        "With two depthwise layers, the place of the Conv2D matters:"
        f" {first} is more accurate than {last}."
    )
    trials = tables.all_trials(results)
    best = _best_by_module(trials[trials["state"] == "COMPLETE"], "test_accuracy", highest=True)
    missing = [module for module in (first, last) if module not in best.index]
    if missing:
        evidence = (
            f"No trial of {' or of '.join(missing)} was completed, so there is no comparison."
        )
        return Claim(claim, UNDECIDED, evidence, "training")
    intervals = [tables.wilson(best[module], results.test_images) for module in (first, last)]
    saw = f"{first} {_percent(best[first])}, {last} {_percent(best[last])}."
    return _trained(results, claim, _as_verdict(_sign(*intervals[0], *intervals[1])), saw)


def never_tried(results: Results) -> Claim:
    """See whether the penalised study drew three depthwise layers."""
    module = article.load()["studies"]["penalised"]["never_tried"]
    claim = f"The penalised study never tries {module}."
    study = _study(results, penalised=True)
    if study is None:
        return Claim(claim, UNDECIDED, "This run has no study with a penalty.", "training")
    times = int((tables.module_names(study.trials) == module).sum())
    saw = f"{times} of {len(study.trials)} trials drew it, which depends on the sampler's chance."
    return _trained(results, claim, times == 0, saw)


def most_are_pruned(results: Results) -> Claim:
    """Compare how many trials were completed."""
    table = tables.studies(results)
    plain, penalised = article.completed(False), article.completed(True)
    claim = (
        f"Pruning stops most trials: {plain[0]} of {plain[1]} were completed, and with the penalty"
        f" {penalised[0]} of {penalised[1]}."
    )
    saw = ", ".join(f"{row.completed} of {row.trials} ({row.study})" for row in table.itertuples())
    agrees = bool((table["completed"] < table["trials"] / 2).all())
    return _trained(results, claim, agrees, f"Completed: {saw}.")


CLAIMS: tuple[Callable[[Results], Claim], ...] = (
    worked_examples,
    identities,
    parameter_counts,
    parameter_order,
    one_thirtieth,
    printed_objectives,
    separable_saving,
    accuracy_levels,
    accuracy_order,
    conv_wins,
    separable_wins,
    mobilenet_does_well,
    place_matters,
    never_tried,
    most_are_pruned,
)

_ORDER = ("conv", "separable", "depthwise")


def check(results: Results) -> pd.DataFrame:
    """Judge all claims: ``claim``, ``verdict``, ``evidence``, ``basis``.

    Beside synthetic images the article's accuracies are not compared with anything.
    """
    table = pd.DataFrame([asdict(judge(results)) for judge in CLAIMS])
    if results.synthetic:
        trained = table["basis"] == "training"
        table.loc[trained, "verdict"] = UNDECIDED
        table.loc[trained, "evidence"] = (
            "Nothing to say without CIFAR-10: the images are synthetic."
        )
    return table


def _exact(claim: str, agrees: bool, evidence: str) -> Claim:
    return Claim(claim, REPRODUCED if agrees else NOT_REPRODUCED, evidence, "arithmetic")


def _trained(
    results: Results, claim: str, agrees: bool | None, saw: str, replicated: bool = False
) -> Claim:
    """Judge a claim about trained networks, as far as this run's size allows."""
    few = results.training.groupby("kind").size().min() < MINIMUM_REPLICATES
    if results.reductions:
        lean = {
            True: "That is what the article says",
            False: "That is not what the article says",
            None: "That is no clear difference",
        }
        why = f"{lean[agrees]}, in a run smaller than the article's."
    elif replicated and few:
        why = f"Fewer than {MINIMUM_REPLICATES} replicates are too few to decide."
    elif agrees is None:
        why = "The difference is within the intervals of the test sets."
    else:
        return Claim(claim, REPRODUCED if agrees else NOT_REPRODUCED, saw, "training")
    return Claim(claim, UNDECIDED, f"{saw} {why}", "training")


def _winner(
    results: Results, claim: str, best: pd.Series, fits: Callable[[str], bool], highest: bool
) -> Claim:
    """Compare the best module that fits the claim with the best that does not."""
    inside = [module for module in best.index if fits(module)]
    outside = [module for module in best.index if not fits(module)]
    if not inside or not outside:
        there = "only such modules were" if inside else "no such module was"
        evidence = f"In this study {there} completed, so there is no comparison."
        return Claim(claim, UNDECIDED, evidence, "training")
    # best is sorted, best first.
    ours, other = inside[0], outside[0]
    ends = []
    for module in (ours, other):
        # An objective is one minus an accuracy and a constant, so its interval is as wide.
        accuracy = best[module] if highest else min(max(1 - best[module], 0.0), 1.0)
        low, high = tables.wilson(accuracy, results.test_images)
        ends += [low, high]
    shown = [
        f"{module} {_percent(best[module]) if highest else f'{best[module]:.4f}'}"
        for module in sorted((ours, other), key=best.index.get_loc)
    ]
    saw = f"Best: {shown[0]}; best of the other sort: {shown[1]} (single trainings)."
    return _trained(results, claim, _as_verdict(_sign(*ends)), saw)


def _best_by_module(trials: pd.DataFrame, column: str, highest: bool) -> pd.Series:
    """Give each module's best value, best first."""
    groups = trials.groupby(tables.module_names(trials) if len(trials) else "layer1")[column]
    return (groups.max() if highest else groups.min()).sort_values(ascending=not highest)


def _study(results: Results, penalised: bool) -> Study | None:
    """Give the first study with, or without, a penalty on parameters."""
    fitting = [study for study in results.studies.values() if study.penalised == penalised]
    return fitting[0] if fitting else None


def _sign(low: float, high: float, other_low: float, other_high: float) -> int:
    """Say whether an interval lies above (1), below (-1) or across (0) another one."""
    return int(low > other_high) - int(high < other_low)


def _as_verdict(sign: int) -> bool | None:
    return None if sign == 0 else sign > 0


def _all_positive(signs: list[int]) -> bool | None:
    if -1 in signs:
        return False
    return None if 0 in signs else True


def _chain() -> str:
    return " > ".join(KINDS[kind].label for kind in _ORDER)


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")
