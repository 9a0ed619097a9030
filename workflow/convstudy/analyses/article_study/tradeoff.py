"""The figure of the report's first page: what a network saves, and what it gives up.

Both axes are relative to the first kind alone (the article's is Conv2D), so that the article and a
run at any scale can share them.
"""

from math import log10

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from convstudy.analyses.article_study import tables
from convstudy.article import facts
from convstudy.display import style
from convstudy.layers.networks import ARTICLE
from convstudy.results.run import Results, has_ranks

SIZE = (5.4, 4.2)


@style.styled
def answer_tradeoff(results: Results) -> Figure:
    """Draw accuracy against parameters, both relative to the first kind alone."""
    if results.synthetic:
        return _counts(results)
    figure, axis = style.new_figure(results, size=SIZE)
    whole = has_ranks(results)
    ours = _modules(results) if whole else _kinds(results)
    all_first = f"all {results.networks.label(results.networks.reference)}"
    theirs = _printed() if whole else _printed_kinds()
    if not results.networks.is_article:
        theirs = theirs[:0]
    axis.axhline(0, color=style.INK, lw=1)
    rest = ours[~ours["named"]]
    axis.plot(rest["share"], rest["change"], "o", ms=4.5, mfc="white", mec=style.MUTED)
    named = ours[ours["named"]]
    axis.vlines(named["share"], named["low"], named["high"], color=style.PALETTE[0], lw=1.8)
    axis.plot(named["share"], named["change"], "o", ms=6.5, color=style.PALETTE[0], mec="white")
    look = {"marker": "D", "ms": 6, "mfc": "white", "mec": style.PALETTE[1], "mew": 1.4, "ls": ""}
    axis.plot(theirs["share"], theirs["change"], **look)
    for row in named.itertuples():
        _label(axis, row.name, (row.share, row.high), 6, "bold")
    shown: list[tuple[float, float]] = []
    for row in theirs.itertuples():
        place = (log10(row.share), row.change)
        # Where the article's points are close together, only the first is labelled.
        if not any(abs(place[0] - x) < 0.15 and abs(place[1] - y) < 0.02 for x, y in shown):
            shown.append(place)
            _label(axis, row.name, (row.share, row.change), -14, "normal")
    axis.margins(y=0.1)
    axis.set_xscale("log")
    axis.set_xlim(min([*ours["share"], *theirs["share"]]) / 1.5, 1.5 * max(1, ours["share"].max()))
    low, high = axis.get_xlim()
    ticks = [one for one in (0.02, 0.05, 0.1, 0.2, 0.4, 1, 2, 4, 8) if low < one < high]
    axis.set_xticks(ticks, [f"{100 * one:g} %" for one in ticks])
    axis.minorticks_off()
    axis.set_xlabel(f"parameters ({all_first} = 100 %)")
    axis.set_ylabel(f"accuracy minus {all_first}, points")
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}".replace("-", "\u2212"))
    kind = "simultaneous 95 % interval" if whole else "95 % interval over trainings and images"
    handles = [
        style.legend_line(f"this run, {kind}", marker="o", color=style.PALETTE[0]),
        style.legend_line("this run, other modules", marker="o", mfc="white", ls="",
                          mec=style.MUTED),
        style.legend_line("the article, single trainings at full scale", **look),
    ]  # fmt: skip
    if not len(theirs):
        handles.pop(2)
    if not len(rest):
        handles.pop(1)
    style.legend_below(figure, handles, 1)
    return figure


def _label(axis: Axes, name: str, place: tuple[float, float], above: int, weight: str) -> None:
    """Write a name a number of points above a position."""
    axis.annotate(
        name,
        place,
        xytext=(0, above),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        fontweight=weight,
        color=style.INK if weight == "bold" else style.MUTED,
    )


def _modules(results: Results) -> pd.DataFrame:
    """Return all modules relative to the reference; those on the Pareto front are named."""
    networks = results.networks
    table = results.table("module_table/summary.csv")
    front = tables.pareto_front(table.rename(columns={"mean": "test_accuracy"}))["module"]
    return pd.DataFrame(
        {
            "name": [style.letters(module, networks) for module in table["module"]],
            "share": table["share"],
            "change": table["minus_reference"],
            "low": table["minus_reference_low"],
            "high": table["minus_reference_high"],
            "named": table["module"].isin([*front, networks.reference_module]),
        }
    )


def _printed() -> pd.DataFrame:
    """Return the article's printed trials relative to its best all-Conv2D trial."""
    trials = pd.DataFrame([*facts.best(penalised=False), *facts.best(penalised=True)])
    best = trials.groupby("module")["test_accuracy"].max()
    size = {module: ARTICLE.parameters(module.split("-")) for module in best.index}
    conv = ARTICLE.reference_module
    return pd.DataFrame(
        {
            "name": [style.letters(module, ARTICLE) for module in best.index],
            "share": [size[module] / size[conv] for module in best.index],
            "change": best.to_numpy() - best[conv],
        }
    ).query("change != 0")


def _kinds(results: Results) -> pd.DataFrame:
    """Return the single-kind networks relative to the first kind's."""
    table = tables.single_kind(results).set_index("kind")
    return pd.DataFrame(
        {
            "name": table["label"],
            "share": table["parameters"] / table.loc[results.networks.reference, "parameters"],
            "change": table["minus_reference"].fillna(0.0),
            "low": table["minus_reference_low"].fillna(0.0),
            "high": table["minus_reference_high"].fillna(0.0),
            "named": True,
        }
    )


def _printed_kinds() -> pd.DataFrame:
    """Return the article's single-kind networks relative to its Conv2D's."""
    accuracy, size = facts.accuracies(), facts.parameter_counts()
    kinds = [kind for kind in accuracy if kind != "conv"]
    return pd.DataFrame(
        {
            "name": [ARTICLE.label(kind) for kind in kinds],
            "share": [size[kind] / size["conv"] for kind in kinds],
            "change": [accuracy[kind] - accuracy["conv"] for kind in kinds],
        }
    )


def _counts(results: Results) -> Figure:
    """Draw parameters and multiply-accumulates of the kinds, relative to the first one's."""
    networks = results.networks
    first = networks.reference
    counted = results.counts.set_index("model").loc[list(networks.kinds)]
    figure, axis = style.new_figure(None, size=(SIZE[0], 0.6 * SIZE[1]))
    looks = {"parameters": "o", "macs": "s"}
    for shift, (name, marker) in zip((-0.12, 0.12), looks.items(), strict=True):
        share = counted[name] / counted.loc[first, name]
        places = [place + shift for place in range(len(share))]
        axis.plot(share, places, marker, ms=7, color=style.INK if name == "macs" else style.MUTED)
        for value, place in zip(share, places, strict=True):
            axis.annotate(
                f"{100 * value:.3g} %",
                (value, place),
                xytext=(8, -3),
                textcoords="offset points",
                fontsize=8,
            )
    axis.set_yticks(range(len(counted)), [networks.label(kind) for kind in counted.index])
    axis.tick_params(axis="y", labelcolor=style.INK, length=0)
    axis.set_ylim(len(counted) - 0.5, -0.5)
    axis.set_xscale("log")
    axis.set_xlim(
        right=2.5 * max(1, counted["parameters"].max() / counted.loc[first, "parameters"])
    )
    axis.set_xlabel(f"relative to {networks.label(first)} (logarithmic)")
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    handles = [
        style.legend_line("parameters", marker="o", color=style.MUTED, ls=""),
        style.legend_line("multiply-accumulates", marker="s", color=style.INK, ls=""),
    ]
    style.legend_below(figure, handles, 2)
    return figure
