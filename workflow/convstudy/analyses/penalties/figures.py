"""The figure about the weight of the penalty."""

from matplotlib.figure import Figure

from convstudy.analyses.penalties import numbers as penalties
from convstudy.config import settings
from convstudy.display import style
from convstudy.display.formats import write
from convstudy.display.style import Drawing
from convstudy.results.run import Results

# Number of modules with a line: the most likely winners at some weight.
SHOWN = 5


@style.styled
def penalties_winner(results: Results) -> Figure:
    """Draw the chances of the most likely winners being the best module, by weight."""
    chances = results.table("penalties/probabilities.csv")
    wide = chances.pivot_table(index="module", columns="weight", values="probability", dropna=False)
    if wide.isna().all(axis=None):
        # With one replicate, there are only the means to go by.
        wide = chances.pivot_table(index="module", columns="weight", values="objective")
        wide = wide.eq(wide.min()).astype(float)
    likely = wide.loc[wide.max(axis=1).nlargest(SHOWN).index]
    penalty = settings.penalty(results.run["config"])
    parameters = results.table("module_table/summary.csv")["parameters"]
    points = penalties.points_of_median(penalty, parameters)
    weights = points * likely.columns.to_numpy()
    figure, axis = style.new_figure(results, size=(7.6, 3.9))
    for module, chance in likely.iterrows():
        kinds = str(module).split("-")
        look = style.module_looks(results.networks)[style.leading_kind(kinds)]
        axis.plot(weights, chance, color=look["color"])
        place = chance.argmax()
        axis.plot(weights[place], chance.iloc[place], ls="", **{**look, "ms": 7})
        axis.annotate(
            style.letters(str(module), results.networks),
            (weights[place], chance.iloc[place]),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            fontweight="bold",
        )
    axis.axvline(points * penalty["weight"], color=style.INK, lw=1, ls=":")
    axis.set_xscale("log")
    axis.set_xlim(weights[0], weights[-1])
    axis.set_ylim(0, 1.12)
    axis.set_xlabel("penalty on the median module, points of test error (logarithmic)")
    axis.set_ylabel("chance of being the best")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    style.percent_axis(axis.yaxis)
    handles = [
        style.legend_line(label, **style.module_looks(results.networks)[kind])
        for kind, label in style.module_labels(results.networks).items()
        if any(style.leading_kind(str(module).split("-")) == kind for module in likely.index)
    ]
    handles.append(style.legend_line("the study's weight", color=style.INK, lw=1, ls=":"))
    style.legend_below(figure, handles, 3)
    return figure


def _likeliest(results: Results) -> list[str]:
    chances = results.table("penalties/probabilities.csv")
    best = chances.groupby("module")["probability"].max().nlargest(5).dropna()
    return [f"{module} up to {write(chance, '.0%')}" for module, chance in best.items()]


DRAWINGS = {"penalties_winner": Drawing(penalties_winner, _likeliest, lettered=True)}
