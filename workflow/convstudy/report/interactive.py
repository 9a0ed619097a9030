"""The interactive figures of the report: their scripts, and the data that they show.

Without scripts, and in Jupyter, their places stay hidden.
"""

from importlib.resources import files
from typing import Any

import pandas as pd

from convstudy.analyses.article_study import tables
from convstudy.analyses.penalties.numbers import points_of_median
from convstudy.config import settings
from convstudy.display import style
from convstudy.display.formats import script_json
from convstudy.report.html import Html
from convstudy.results.run import Results

# What can have a price.
COSTS = ("parameters", "macs", "latency")
# In this order, in one function, so that the page has no names but its own.
SCRIPTS = ("layers", "price", "page", "explorer", "tradeoff", "start")


def script() -> str:
    """Return all scripts as one classic script, since modules do not load from files."""
    folder = files(__package__) / "template"
    sources = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n" + "\n".join(sources) + "})();"


def room(name: str, data: Any = None) -> Html:
    """Return a hidden place for a figure, with its data.

    Raises:
        ValueError: If the data contain NaN or infinity, which JSON has not.
    """
    holding = ""
    if data is not None:
        holding = f'<script type="application/json">{script_json(data)}</script>'
    return Html(
        f'<div class="interactive" id="{name}" data-interactive="{name}" hidden>{holding}</div>'
    )


def tradeoff(results: Results) -> Html:
    """Return the place of the chart of parameters against accuracy.

    It shows all modules or, without their table, the best completed trial of each; with latencies
    if they were measured. The slider's middle is the article's weight or, for other networks, the
    study's.
    """
    networks, config = results.networks, results.run["config"]
    width = config["model"]["width"]
    modules = tables.tried_modules(results).sort_values("test_accuracy", ascending=False)
    modules = modules.drop_duplicates("module").set_index("module")
    macs = {name: networks.count(name.split("-"), width).macs for name in modules.index}
    modules["macs"] = pd.Series(macs)
    if results.has("timing/modules.csv"):
        modules["latency"] = results.table("timing/modules.csv").set_index("module")["latency_ms"]
    shown = modules.reindex(columns=["test_accuracy", "low", "high", *COSTS]).astype(object)
    rows = shown.where(shown.notna(), None).to_dict("index")
    looks, labels = style.module_looks(networks), style.module_labels(networks)
    penalty, weighed, best = settings.penalty(config), "the study’s weight", {}
    if networks.is_article:
        penalty, weighed = settings.article_penalty(config), "the article’s weight"
        best = {
            "the article’s best": tables.article_best(False)["module"][0],
            "the article’s best with its penalty": tables.article_best(True)["module"][0],
        }
    points = points_of_median(penalty, modules["parameters"]) * penalty["weight"]
    made = [
        {
            "name": name,
            "letters": style.letters(name, networks),
            "look": list(looks).index(style.leading_kind(name.split("-"))),
            "accuracy": row.pop("test_accuracy"),
            **row,
            "notes": [words for words, module in best.items() if module == name],
        }
        for name, row in rows.items()
    ]
    drawn = [
        {"label": labels[kind], "colour": look["color"], "marker": look["marker"]}
        for kind, look in looks.items()
    ]
    return room("tradeoff", {"modules": made, "looks": drawn, "points": points, "weighed": weighed})
