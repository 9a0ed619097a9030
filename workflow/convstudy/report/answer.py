"""The report's answer: how a run answers the question in the title, in sentences made from tables.

Every sentence is true for any table, and nothing is called clear unless the intervals say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from convstudy.claims import verdicts
from convstudy.claims.ledger import OWN
from convstudy.layers.networks import ARTICLE, Networks
from convstudy.results.run import SUMMARY, Results, has_ranks
from convstudy.results.scale import leak

# A small network has at most this share of the parameters of all Conv2D.
SMALL = 0.1
# Numbers of layers in words.
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
CONTRASTS = "depth/contrasts.csv"
FRACTIONS = {0.25: "a quarter", 0.5: "half", 0.125: "an eighth", 0.75: "three quarters"}


@dataclass(frozen=True)
class Answer:
    """The top of the report.

    Attributes:
        kicker: The kind of run.
        lead, text: The answer; the lead is the short version.
        box, conditions: The conditions under which it holds; the box is a summary in a few words.
        refuted: Ids and statements of the claims that are not reproduced.
    """

    kicker: str
    lead: str
    text: str
    box: str
    conditions: str
    refuted: tuple[tuple[str, str], ...] = ()


def answer(results: Results) -> Answer:
    """Build the answer from a run's tables."""
    judged = results.table("claims.csv")
    if results.synthetic:
        return made_up(judged, results.networks)
    kinds = results.table("tables/single_kind.csv")
    modules = results.table(SUMMARY) if has_ranks(results) else None
    if not results.reductions:
        return full(judged, kinds, modules, results)
    networks = results.networks
    known = modules is not None
    lead, text = of_modules(modules, networks) if known else of_kinds(kinds, networks)
    text = f"{text} {of_stacks(results)}".strip()
    if not networks.is_article:
        trainings = _trainings(results.run["config"]["training"]["replicates"])
        asked = f"{_asked(results)}, {trainings}."
        own = results.own_images
        return Answer(
            kicker=(
                f"The question of koshian2 (Qiita, 2018), asked of {results.images}"
                if own
                else "Other layers than those of koshian2 (Qiita, 2018)"
            ),
            lead=f"In this run, {lead}",
            text=f"{text} {to_beat(results)}" if own else text,
            box=f"Not the article's {'images' if own else 'networks'}.",
            conditions=f"{asked} Nothing is compared with the article.",
        )
    return Answer(
        kicker="A small re-run of koshian2 (Qiita, 2018)",
        lead=f"In this {'small ' * _is_small(results)}run, {lead}",
        text=text,
        box="A hint, not a verdict.",
        conditions=_conditions(results),
    )


def to_beat(results: Results) -> str:
    """Say what always answering the largest class would reach and, if classes differ, the mean."""
    data, table = results.data, results.table("tables/single_kind.csv")
    largest = data["largest_class"]
    text = (
        f"Always answering “{largest['name']}”, the largest of {len(data['classes'])} classes,"
        f" would be right for {_percent(largest['share'])} of the test images."
    )
    if "balanced_accuracy" in table:
        means = [
            f"{row['label']} {_percent(row['balanced_accuracy'])}"
            for row in table.to_dict("records")
        ]
        text += f" As a mean over the classes, which differ in size: {', '.join(means)}."
    return f"{text} {leak(data)}".strip()


def _asked(results: Results) -> str:
    """Name the kinds of layer and the stages of a run."""
    networks, width = results.networks, results.run["config"]["model"]["width"]
    labels = [kind.label for kind in networks.kinds.values()]
    channels = [str(max(1, round(stage["channels"] * width))) for stage in networks.stages]
    return (
        f"{_listed(labels)} in {len(channels)} stage{'s' * (len(channels) > 1)} of"
        f" {_listed(channels)} channels, trained on {results.data['used']['train']:,} images"
        f"{f' of {results.images}' if results.own_images else ''} for"
        f" {results.run['config']['training']['epochs']} epochs"
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def of_modules(modules: pd.DataFrame, networks: Networks = ARTICLE) -> tuple[str, str]:
    """Describe which module is enough, and what small ones lose.

    Args:
        modules: module_table/summary.csv, with ranks.
        networks: Those of the run.

    Returns:
        lead, text.
    """
    first = f"all-{networks.label(networks.reference)}"
    if (modules["rank_low"] == 1).all():
        low, high = (f"{100 * end:.1f}" for end in (modules["mean"].min(), modules["mean"].max()))
        lead = f"the {len(modules)} modules could not be told apart."
        text = f"Their mean accuracies lie between {low} and {high} %. {_small(modules, first)}"
        return lead, text.strip()
    enough = _enough(modules)
    name = _name(enough)
    accuracy = f"{_percent(enough['mean'])} ({_ends(enough, '')})"
    if enough["module"] == networks.reference_module:
        lead = f"the {first} module was worth its parameters."
        text = f"It reached {accuracy}; every module with fewer parameters was clearly worse than"
        return lead, f"{text} the best one. {_small(modules, first)}"
    lead = f"{in_words(enough['module'], networks)} per stage were enough."
    text = (
        f"{name} reached {accuracy} with {_share(enough['share'])} of the parameters of the"
        f" {first} module; no module was clearly better{_highest(modules, enough)}."
    )
    return lead, f"{text} {'' if enough['share'] <= SMALL else _small(modules, first)}".strip()


def _enough(modules: pd.DataFrame) -> pd.Series:
    """Return the smallest module that may be the best; of several, the most accurate."""
    best = modules[modules["rank_low"] == 1]
    return best.sort_values(["parameters", "mean"], ascending=[True, False]).iloc[0]


def _highest(modules: pd.DataFrame, enough: pd.Series) -> str:
    """Name the module with the highest mean, if it is a different one."""
    best = modules.loc[modules["mean"].idxmax()]
    if best["module"] == enough["module"]:
        return ""
    return f" (the highest mean was {_percent(best['mean'])}, for {_name(best)})"


def _name(row: Any) -> str:
    return str(row["module"]).replace("-", " · ")


def _small(modules: pd.DataFrame, first: str) -> str:
    """Describe what the modules with few parameters lose compared with the reference."""
    few = modules[modules["share"] <= SMALL]
    if few.empty:
        return ""
    best = few.loc[few["mean"].idxmax()]
    where = f"Below {_share(SMALL)} of the parameters,"
    change = best["minus_reference"]
    if (few["minus_reference_high"] < 0).all():
        lost = f"{-100 * change:.1f} points"
        ends = (
            f"{-100 * best['minus_reference_high']:.1f} to {-100 * best['minus_reference_low']:.1f}"
        )
        return f"{where} every module lost accuracy; the best, {_name(best)}, lost {lost} ({ends})."
    word = "was clearly better" if best["minus_reference_low"] > 0 else "was not clearly worse"
    if best["minus_reference_high"] < 0:
        word = "was clearly worse"
    return (
        f"{where} the best module, {_name(best)}, {word} than the {first}"
        f" module ({_points(best, 'minus_reference')})."
    )


def of_kinds(kinds: pd.DataFrame, networks: Networks = ARTICLE) -> tuple[str, str]:
    """Describe whether the first kind is the most accurate of the single-kind networks.

    Args:
        kinds: tables/single_kind.csv.
        networks: Those of the run.

    Returns:
        lead, text.
    """
    failed = kinds.loc[kinds["mean"].isna(), "label"]
    if len(failed):
        lead = f"{' and '.join(failed)} could not be trained."
        return lead, "In every training, the loss stopped being finite."
    first = kinds[kinds["kind"] == networks.reference].iloc[0]
    others, name = kinds[kinds["kind"] != networks.reference], first["label"]
    if others.empty:
        return f"{name} reached {_percent(first['mean'])}.", f"({_ends(first, '')})"
    once = int(kinds["replicates"].min()) < 2
    if (others["minus_reference_high"] < 0).all():
        lead = f"{name} was clearly the most accurate."
    elif (others["minus_reference_low"] > 0).any():
        lead = f"{name} was not the most accurate."
    elif (others["minus_reference"] < 0).all():
        lead = f"{name} was the most accurate, but not clearly."
    else:
        lead = "no layer was clearly the most accurate."
    parts = []
    for row in others.to_dict("records"):
        smaller = first["parameters"] / row["parameters"]
        size = "with as many parameters"
        if smaller > 1:
            size = f"{smaller:.1f} times smaller"
        elif smaller < 1:
            size = f"{1 / smaller:.1f} times larger"
        word = "lower" if row["minus_reference"] < 0 else "higher"
        low, high = (100 * row[f"minus_reference_{end}"] for end in ("low", "high"))
        shown = "{:.1f} to {:.1f}".format(*sorted((abs(low), abs(high))))
        if low < 0 < high:
            shown = f"from {-low:.1f} lower to {high:.1f} higher"
        parts.append(
            f"{row['label']}, {size}, came out"
            f" {abs(100 * row['minus_reference']):.1f} points {word} ({shown})"
        )
    text = f"{name} reached {_percent(first['mean'])} ({_ends(first, '')}). {'; '.join(parts)}."
    if once:
        text += " With one training each, the intervals leave out the chance in training."
    return lead, text


def of_stacks(results: Results) -> str:
    """Say which stack of layers clearly differs from one layer of the first kind, if any does.

    Of the stacks with no more parameters, the largest of each kind is compared.
    """
    if not results.has(CONTRASTS):
        return ""
    found, networks = results.table(CONTRASTS).query("cost == 'parameters'"), results.networks
    found = found[found["kind"].isin(networks.replacements)]
    clear = found[(found["low"] > 0) | (found["high"] < 0)].nlargest(1, "value")
    return "".join(
        f"Stacked {row['layers']} to a stage, {networks.label(row['kind'])} was clearly"
        f" {'more' if row['value_low'] > 0 else 'less'} accurate than one"
        f" {networks.label(networks.reference)}, with fewer parameters"
        f" ({_points(row, 'value')})."
        for _, row in clear.rename(columns={"low": "value_low", "high": "value_high"}).iterrows()
    )


def full(
    judged: pd.DataFrame, kinds: pd.DataFrame, modules: pd.DataFrame | None, results: Results
) -> Answer:
    """Build the answer for a run at the article's scale."""
    by_id = judged.set_index("id")
    order = by_id.loc["accuracy_order", "verdict"]
    lead = {
        verdicts.REPRODUCED: "The article's order holds.",
        verdicts.NOT_REPRODUCED: "The article's order does not hold.",
        verdicts.UNDECIDED: "The article's order is not settled.",
    }[order]
    reached = ", ".join(
        f"{row['label']} {_percent(row['mean'])} ({_ends(row, '')}; article"
        f" {100 * row['article']:.2f})"
        for row in kinds.to_dict("records")
    )
    parts = [f"{reached}."]
    seen = by_id.loc[[f"accuracy_{kind}" for kind in kinds["kind"]]]
    if seen["low"].notna().all():
        inside = int(((seen["low"] <= 0) & (seen["high"] >= 0)).sum())
        number = ("none", "one", "two", "all three")[inside]
        verb = "lies" if inside == 1 else "lie"
        parts.append(
            f"Of the article's figures, {number} {verb} within the range expected of one more"
            " training here."
        )
    if modules is not None:
        best = _enough(modules)
        if best["share"] < 1:
            parts.append(
                f"{_name(best)} needs only {_share(best['share'])} of the"
                " parameters of the all-Conv2D module, and no module is clearly better."
            )
    parts += filter(None, [of_stacks(results)])
    refuted = judged[(judged["verdict"] == verdicts.NOT_REPRODUCED)]
    chosen = results.run["config"]["training"]["replicates"]
    lossy = " (a JPEG copy)" if results.data["lossy"] else ""
    return Answer(
        kicker="koshian2 (Qiita, 2018), re-run at the original scale",
        lead=lead,
        text=" ".join(parts),
        box="",
        conditions=(
            f"{results.data['used']['train']:,} training images{lossy},"
            f" {results.run['config']['training']['epochs']} epochs, {_trainings(chosen)}."
            " Optimizer, learning rate and batch size are ours; the article does not state them."
        ),
        refuted=tuple((row.id, row.statement) for row in refuted.itertuples()),
    )


def made_up(judged: pd.DataFrame, networks: Networks = ARTICLE) -> Answer:
    """Build the answer for a run on synthetic images."""
    stated = judged[(judged["basis"] == "arithmetic") & (judged["source"] != OWN)]
    met = int((stated["verdict"] == verdicts.REPRODUCED).sum())
    if not networks.is_article:
        lead = "No answer yet."
    elif met == len(stated):
        lead = f"The article's arithmetic and parameter counts hold: {met} of {met} statements."
    else:
        lead = f"Of the article's {len(stated)} statements on arithmetic and counts, {met} hold."
    return Answer(
        kicker="Synthetic images: nothing here is about accuracy",
        lead=lead,
        text=(
            "This run had no CIFAR-10 and used synthetic images, so this page says nothing"
            " about accuracy. To get an answer, put CIFAR-10 in a folder and run"
            " `CONVSTUDY_CIFAR10=FOLDER make report`."
        ),
        box="",
        conditions="",
    )


def in_words(module: str, networks: Networks = ARTICLE) -> str:
    """Write a module's layers in words: ``one Conv2D and two depthwise layers``."""
    kinds = module.split("-")
    names = {"conv": "Conv2D", "separable": "separable", "depthwise": "depthwise"}
    if not networks.is_article:
        names = {name: kind.label for name, kind in networks.kinds.items()}
    parts = [f"{NUMBERS[kinds.count(kind)]} {names[kind]}" for kind in names if kinds.count(kind)]
    joined = " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]
    return f"{joined} layer{'' if parts[-1].startswith(NUMBERS[1]) else 's'}"


def _is_small(results: Results) -> bool:
    """Check whether a run trains less than the article did."""
    return any(ours < theirs for _, ours, theirs in _sizes(results))


def _sizes(results: Results) -> list[tuple[str, float, float]]:
    """Return the run's sizes with the article's."""
    config, theirs = results.run["config"], results.run["article"]
    return [
        ("width", config["model"]["width"], theirs["width"]),
        ("train", results.data["used"]["train"], theirs["train"]),
        ("epochs", config["training"]["epochs"], theirs["epochs"]),
    ]


def _conditions(results: Results) -> str:
    """Describe how a run differs from the article's."""
    forms = {
        "width": lambda ours, theirs: (
            f"{FRACTIONS.get(ours / theirs, f'{ours / theirs:g}')} of the article's channels"
        ),
        "train": lambda ours, theirs: f"{ours:,} of {theirs:,} training images",
        "epochs": lambda ours, theirs: f"{ours} of {theirs} epochs",
    }
    parts = [forms[name](ours, theirs) for name, ours, theirs in _sizes(results) if ours < theirs]
    if results.data["lossy"]:
        place = next((n for n, part in enumerate(parts) if "images" in part), None)
        if place is None:
            parts.append("a JPEG copy of the images")
        else:
            parts[place] += " (a JPEG copy)"
    parts.append(_trainings(results.run["config"]["training"]["replicates"]))
    text = ", ".join(parts)
    why = "That is too little" if _is_small(results) else "The settings differ too much"
    return (
        f"{text[0].upper()}{text[1:]}. {why} to decide what the article says about trained"
        " networks."
    )


def _trainings(number: int) -> str:
    return "one training each" if number == 1 else f"{number} trainings each"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _ends(row: Any, name: str) -> str:
    low, high = (row[f"{name}{end}"] for end in ("low", "high"))
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _points(row: Any, name: str) -> str:
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:+.1f} points, {low:+.1f} to {high:+.1f}".replace("-", "\N{MINUS SIGN}")
