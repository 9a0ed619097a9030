"""The figure about the recipes."""

from matplotlib.figure import Figure

from convstudy.display import style
from convstudy.display.formats import ACCURACY, write
from convstudy.display.style import Drawing
from convstudy.results.run import Results


@style.styled
def recipes_accuracy(results: Results) -> Figure:
    """Draw each recipe's test accuracy, one panel per kind, with the article's."""
    summary = results.table("recipes/summary.csv")
    recipes = list(dict.fromkeys(summary["recipe"]))
    kinds = list(dict.fromkeys(summary["kind"]))
    figure, axes = style.new_figure(
        results,
        1,
        len(kinds),
        size=(7.6, 1.6 + 0.36 * len(recipes)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    # At another scale, the article's accuracies are not comparable.
    beside = not results.synthetic and not results.reductions and results.networks.is_article
    for axis, kind in zip(axes[0], kinds, strict=True):
        mine = summary[summary["kind"] == kind]
        colour = style.colours(results.networks)[kind]
        places = [recipes.index(recipe) for recipe in mine["recipe"]]
        axis.hlines(places, mine["low"], mine["high"], color=colour, lw=2.5)
        axis.plot(mine["mean"], places, "o", color=colour, ms=7, mec="white")
        if beside and mine["article"].notna().all():
            axis.axvline(mine["article"].iloc[0], color=style.INK, lw=1, ls=":")
        lowest = style.largest_class(axis, results, across=True)
        axis.set_title(mine["label"].iloc[0])
        axis.set_xlabel("best test accuracy")
        axis.margins(x=0.1)
        style.percent_axis(axis.xaxis)
    axes[0][0].set_yticks(range(len(recipes)), [name.replace("_", " ") for name in recipes])
    axes[0][0].tick_params(axis="y", labelcolor=style.INK, length=0)
    axes[0][0].set_ylim(len(recipes) - 0.5, -0.5)
    handles = [style.legend_line("this run, 95 % interval", marker="o", color=style.MUTED, lw=2.5)]
    if beside:
        handles.append(style.legend_line("article", color=style.INK, lw=1, ls=":"))
    style.legend_below(figure, handles + lowest, 2)
    return figure


def _means(results: Results) -> list[str]:
    rows = results.table("recipes/summary.csv").itertuples()
    return [f"{row.recipe}, {row.label}: {write(row.mean, ACCURACY)}" for row in rows]


DRAWINGS = {"recipes_accuracy": Drawing(recipes_accuracy, _means)}
