"""Count wrong verdicts about known worlds, for docs/statistics.md.

python benchmarks/wrong_verdicts.py [RUNS]

In each run, every claim of the article about trained networks gets tables drawn from a world where
the truth is known, and all are judged together as in a real run. Replayed studies are NumPy copies
(fast_studies.py). Writes docs/performance/verdicts.csv, docs/performance/replays.csv and their
tables in docs/statistics.md; takes about an hour on two cores.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt
from multiprocessing import Pool
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from convstudy.analyses.article_study import tables
from convstudy.analyses.penalties import numbers as penalties
from convstudy.analyses.replay import contrasts, draws
from convstudy.analyses.replay.studies import FEWER
from convstudy.article import facts
from convstudy.claims import families, ledger, verdicts
from convstudy.claims.verdicts import DRAWS, Seen
from convstudy.config.analyses import Replay
from convstudy.core.files import write_csv, write_text
from convstudy.layers.networks import ARTICLE
from convstudy.results import accuracies
from convstudy.stats import intervals
from convstudy.training.record import pack
from document import ROOT, markdown, with_parts
from fast_studies import Studies, choices, search
from intervals import IMAGES, train

FOUND = ROOT / "docs/performance/verdicts.csv"
REPLAYS = ROOT / "docs/performance/replays.csv"
DOCUMENT = ROOT / "docs/statistics.md"
CLAIMS = [
    claim
    for claim in ledger.load(ROOT / "config/claims.yaml")
    if families.family(claim) == "the article's on trained networks"
]
RUNS, WORLDS, REPLICATES = 4000, 100, (3, 5, 10)
# Claims are true, or false, by about as much as in the article; at the border, a claim of several
# comparisons has one of them there and the others far inside, or all of them there.
TRUE, FALSE, BORDER, ALL = (
    "all true",
    "all false",
    "at the border",
    "every comparison at the border",
)
SCENARIOS = (TRUE, FALSE, BORDER, ALL)
# Between trainings: of accuracies on the test images, as recorded at the article's scale, and of
# skill (see `intervals.train`).
SPREAD, SKILL = 0.004, 0.02
MODULES = list(ARTICLE.modules())
TABLE = pd.read_csv(ROOT / "results/reference/cpu-small/module_table/table.csv")
SIZES = TABLE.groupby("module")["parameters"].first()[MODULES].to_numpy() / 15_625
# By how much a claim is true or false, in accuracy.
GAP = 0.015


class Tables(NamedTuple):
    """A run's tables that a claim is judged on, by file."""

    tables: dict[str, pd.DataFrame]
    synthetic: bool = False

    def has(self, file: str) -> bool:
        """Answer that everything was run: a claim has all that it needs."""
        return True

    def table(self, file: str) -> pd.DataFrame:
        """Return a table."""
        return self.tables[file]


# Trained networks


def trainings(
    rng: np.random.Generator, replicates: int, accuracies: dict[str, float], **columns: Any
) -> pd.DataFrame:
    """Train models of known accuracies: one row per training."""
    rows = []
    drawn = train(rng, tuple(accuracies.values()), replicates, SKILL, 0.8, IMAGES)
    for name, right in zip(accuracies, drawn, strict=True):
        for one in right:
            packed, accuracy = pack(one), float(one.mean())
            best = {"test_accuracy_best": accuracy, "right_best": packed}
            last = {"test_accuracy_last": accuracy, "right_last": packed}
            rows.append({"name": name, "test_images": IMAGES, **best, **last, **columns})
    return pd.DataFrame(rows)


def stated(
    kind: str, rng: np.random.Generator, replicates: int, scenario: str
) -> dict[str, pd.DataFrame]:
    """Make a table where a network is as accurate as the article's, or by how much it is not."""
    known = facts.accuracies()
    off = {TRUE: 0.0, FALSE: 0.02 + GAP, BORDER: 0.02, ALL: -0.02}[scenario]
    drawn = trainings(rng, replicates, {**known, kind: known[kind] + off})
    return {"training/summary.csv": drawn.rename(columns={"name": "kind"})}


def in_order(
    file: str, column: str, names: tuple[str, ...], fixed: dict[str, Any], *of_world: Any
) -> dict[str, pd.DataFrame]:
    """Make a table where models are in an order, or not."""
    rng, replicates, scenario = of_world
    steps = {
        TRUE: [GAP * place for place in range(len(names))],
        FALSE: [-GAP * place for place in range(len(names))],
        BORDER: [0.0, 0.0, 6 * GAP][: len(names)],
        ALL: [0.0] * len(names),
    }[scenario]
    known = {name: 0.85 - step for name, step in zip(names, steps, strict=True)}
    drawn = trainings(rng, replicates, known, **fixed)
    return {file: drawn.rename(columns={"name": column})}


def one_ahead(id_: str, module: str, *of_world: Any) -> dict[str, pd.DataFrame]:
    """Make contrasts where a module is ahead of all others, or of all that are no larger."""
    rng, replicates, scenario = of_world
    known = 0.85 - GAP - rng.uniform(0, 0.05, len(MODULES))
    place = MODULES.index(module)
    rivals = np.arange(len(MODULES)) != place
    if id_ == "front":
        rivals &= SIZES[place] >= SIZES
    one = rng.choice(np.flatnonzero(rivals))
    if scenario == ALL:
        known[rivals] = 0.85
    elif scenario != TRUE:
        known[one] = 0.85 + (GAP if scenario == FALSE else 0.0)
    known[place] = 0.85
    found, dof = means(rng, known, replicates)
    rows = tables.ahead(found.loc[module], found[rivals], dof)
    columns = ["id", "module", "what", "value", "error", "dof"]
    return {"tables/contrasts.csv": pd.DataFrame([(id_, *row) for row in rows], columns=columns)}


def means(rng: np.random.Generator, known: np.ndarray, replicates: int) -> tuple[pd.DataFrame, int]:
    """Draw what `accuracies.means` would find on the same images."""
    dof = len(known) * (replicates - 1)
    error = SPREAD / sqrt(replicates)
    found = pd.DataFrame({"parameters": SIZES, "replicates": replicates}, index=MODULES)
    found["mean"] = known + error * rng.normal(size=len(known))
    found["error"] = error * sqrt(rng.chisquare(dof) / dof)
    return found, dof


def place(*of_world: Any) -> dict[str, pd.DataFrame]:
    """Make contrasts where the place of depthwise layers counts more than a second one, or less."""
    rng, replicates, scenario = of_world
    more, less = {TRUE: (3, 1), FALSE: (1, 3), BORDER: (3, 3), ALL: (0, 0)}[scenario]
    known = {
        "conv-depthwise-depthwise": 0.8 + GAP * more / 2,
        "depthwise-conv-depthwise": 0.8,
        "depthwise-depthwise-conv": 0.8 - GAP * more / 2,
    } | dict.fromkeys(
        ("conv-conv-depthwise", "conv-depthwise-conv", "depthwise-conv-conv"), 0.8 + GAP * less
    )
    drawn = dict(
        zip(known, train(rng, tuple(known.values()), replicates, SKILL, 0.8, IMAGES), strict=True)
    )
    rows = []
    for sign in (1, -1):
        weights = tables.place_minus_number(sign)
        found = intervals.crossed_error([drawn[one] for one in weights], list(weights.values()))
        rows.append(("place_minus_number", "place minus number", *found))
    columns = ["id", "what", "value", "error", "dof"]
    return {"tables/contrasts.csv": pd.DataFrame(rows, columns=columns)}


def deeper(cost: str, *of_world: Any) -> dict[str, pd.DataFrame]:
    """Make contrasts where a stack is more accurate than one layer, or less."""
    rng, replicates, scenario = of_world
    gap = {TRUE: GAP, FALSE: -GAP}.get(scenario, 0.0)
    pair = train(rng, (0.85 + gap, 0.85), replicates, SKILL, 0.8, IMAGES)
    found = dict(
        zip(("value", "error", "dof"), intervals.crossed_error(pair, (1, -1)), strict=True)
    )
    row = {"kind": "separable", "cost": cost, **found}
    return {"depth/contrasts.csv": pd.DataFrame([row])}


def layers(*of_world: Any) -> dict[str, pd.DataFrame]:
    """Make trainings of three separable layers and of one."""
    file = "depth/trainings.csv"
    table = in_order(file, "layers", ("3", "1"), {"kind": "separable"}, *of_world)[file]
    return {file: table.assign(layers=table["layers"].astype(int))}


def of_penalty(*of_world: Any) -> dict[str, pd.DataFrame]:
    """Make an envelope where the winner without a penalty loses before the article's, or later."""
    rng, replicates, scenario = of_world
    weight = facts.figure("studies.penalised.penalty.weight")
    winner = MODULES.index(ARTICLE.reference_module)
    change = weight * {TRUE: 0.9, FALSE: 1.1}.get(scenario, 1.0)
    # All others win later, but one.
    known = 0.85 - change * (SIZES[winner] - SIZES) - rng.uniform(0.02, 0.05, len(SIZES))
    known[winner] = 0.85
    other = rng.choice(np.flatnonzero(np.arange(len(SIZES)) != winner))
    known[other] = 0.85 - change * (SIZES[winner] - SIZES[other])
    found, dof = means(rng, known, replicates)
    steps = penalties.envelope(1 - found["mean"].to_numpy(), SIZES)
    drawn = 1 - accuracies.draw_means(found, dof, 2000)
    [beyond] = penalties.beyond(drawn, SIZES, SIZES[[steps[1][0]]])
    # Which side of the weight the interval's ends are on is all that counts.
    low, high = (weight * (1.1 if beyond > tail else 0.9) for tail in (0.975, 0.025))
    row = {"from_weight": 0.0, "to_weight": steps[1][1], "to_low": low, "to_high": high}
    return {"penalties/envelope.csv": pd.DataFrame([{**row, "to_beyond": beyond}])}


ORDER, RANKS = (
    ("conv", "separable", "depthwise"),
    ("separable-conv-conv", "conv-depthwise-separable", "depthwise-conv-separable"),
)
FRONT = {
    "on_front_ssd": "separable-separable-depthwise",
    "on_front_sss": "separable-separable-separable",
    "on_front_cdd": "conv-depthwise-depthwise",
}
MAKE: dict[str, Callable[..., dict[str, pd.DataFrame]]] = {
    **{f"accuracy_{kind}": partial(stated, kind) for kind in ORDER},
    "accuracy_order": partial(in_order, "training/summary.csv", "kind", ORDER, {}),
    "conv_first_of_all": partial(one_ahead, "first", ARTICLE.reference_module),
    "accuracy_ranks": partial(in_order, "module_table/table.csv", "module", RANKS, {}),
    "place_more_than_number": place,
    **{name: partial(one_ahead, "front", module) for name, module in FRONT.items()},
    "depends_on_penalty": of_penalty,
    "stacked_beats_conv": partial(deeper, "parameters"),
    "stacked_beats_conv_in_macs": partial(deeper, "MACs"),
    "easy_to_deepen": layers,
}


# Replayed searches


class Replayed(NamedTuple):
    """What replayed studies say about a world, and what is true there.

    Attributes:
        shares: By claim: the shares of studies on the whole table, then without each replicate.
        true: By claim: the share of studies whose trainings are all new.
        contrasts: By contrast: difference, standard error, dof, and the true difference.
    """

    shares: dict[str, list[float]]
    true: dict[str, float]
    contrasts: dict[str, tuple[float, float, float, float]]


def replayed(seed: int, replicates: int) -> Replayed:
    """Make a world, a module table and its replayed studies."""
    rng = np.random.default_rng(seed)
    kinds, epochs = choices(len(MODULES)), 8
    effect = rng.normal([0.02, -0.02, 0.01], 0.015)
    level = 0.8 + effect[kinds].sum(axis=1) + rng.normal(0, 0.005, len(MODULES))
    curve = level[:, None] * (1 - 0.4 * np.exp(-np.arange(epochs) / rng.uniform(1, 3)))
    spread, weight = rng.choice([0.004, 0.008, 0.016]), 0.05 * rng.choice([0.1, 0.3, 1.0])

    def trained(number: int, each: int) -> np.ndarray:
        shape = (number, len(MODULES), each)
        lasting, passing = rng.normal(size=(*shape, 1)), rng.normal(size=(*shape, epochs))
        return np.clip(curve[None, :, None] + spread * (lasting + passing) / sqrt(2), 0, 1)

    costs = {"accuracy": 0 * SIZES, "penalised": weight * SIZES}
    settings = Replay()
    own = trained(1, replicates)
    left_out = [np.delete(own, place, axis=2) for place in range(replicates)]
    once = np.zeros(settings.studies, int)
    shares: dict[str, list[float]] = {}
    for table in (own, *left_out):
        pair = {name: search(table, cost, once, rng) for name, cost in costs.items()}
        for name, holds in statements(pair).items():
            shares.setdefault(name, []).append(float(holds.mean()))
    # A study of its own trains each of its trials anew.
    fresh, each = trained(200, settings.trials), np.arange(200)
    pair = {name: search(fresh, cost, each, rng) for name, cost in costs.items()}
    true = {name: float(holds.mean()) for name, holds in statements(pair).items()}
    drawn = rng.integers(replicates, size=(settings.tables, len(MODULES), replicates))
    again = own[0][np.arange(len(MODULES))[None, :, None], drawn]
    some = np.repeat(np.arange(settings.tables), settings.studies // FEWER)
    compared = {}
    new = trained(100, replicates)
    every = np.repeat(np.arange(100), 10)
    for name, measure, cost, ways in (
        ("penalty_in_pruning", _regrets, costs["penalised"], ({}, {"penalty_in_pruning": True})),
        ("multivariate", _combinations, costs["accuracy"], ({"multivariate": True}, {})),
    ):
        found = []
        for table, which in ((own, once), (again, some), (new, every)):
            one, other = (
                measure(search(table, cost, which, rng, **way), table, cost, which) for way in ways
            )
            found.append(one - other)
        by_table = found[1].reshape(settings.tables, -1).mean(axis=1)
        error, dof = contrasts.resampling_error(by_table.tolist(), replicates)
        compared[name] = (float(found[0].mean()), error, dof, float(found[2].mean()))
    return Replayed(shares, true, compared)


def statements(pair: dict[str, Studies]) -> dict[str, np.ndarray]:
    """Return in which studies each statement holds, as `draws.STATEMENTS` say: (studies,) each."""
    best = {name: _best(one) for name, one in pair.items()}
    separable = (choices(len(MODULES)) == list(ARTICLE.kinds).index("separable")).sum(axis=1)
    ranks = [MODULES.index(module) for module in draws.PENALISED_RANKS]
    places = [MODULES.index(one) for one in tables.PLACES]
    penalised = pair["penalised"]
    five = penalised.objective.argsort(axis=1, kind="stable")[:, :5]
    among = np.take_along_axis(penalised.modules, five, axis=1) == places[0]
    completed = np.isfinite(np.take_along_axis(penalised.objective, five, axis=1))
    return {
        "conv_wins": best["accuracy"].argmin(axis=1) == MODULES.index(ARTICLE.reference_module),
        "separable_wins": separable[best["penalised"].argmin(axis=1)] >= 2,
        "penalised_ranks": _increasing(best["penalised"][:, ranks]),
        "mobilenet_does_well": (among & completed).any(axis=1),
        "place_matters": _increasing(best["penalised"][:, places]),
    }


def _best(studies: Studies) -> np.ndarray:
    """Return each module's lowest objective, (studies, modules); infinite if it never completed."""
    return np.stack(
        [
            np.where(studies.modules == module, studies.objective, np.inf).min(axis=1)
            for module in range(len(MODULES))
        ],
        axis=1,
    )


def _increasing(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.isfinite(values).all(axis=1) & (np.diff(values, axis=1) >= 0).all(axis=1)


def _regrets(studies: Studies, table: np.ndarray, cost: np.ndarray, which: np.ndarray) -> Any:
    objective = 1 - table.max(axis=3).mean(axis=2) + cost
    picked = _best(studies).argmin(axis=1)
    return objective[which, picked] - objective.min(axis=1)[which]


def _combinations(studies: Studies, *_: Any) -> np.ndarray:
    return np.array([len(np.unique(row)) for row in studies.modules])


# Verdicts


def truths(world: Replayed) -> dict[str, tuple[float, Seen]]:
    """Return by how much each claim about studies is true in a world, and what is seen of it."""
    found = {}
    for claim in CLAIMS:
        if claim.draws:
            shares = world.shares[claim.id]
            table = pd.DataFrame({"claim": claim.id, "share": shares, "studies": Replay().studies})
            table["left_out"] = [None, *range(len(shares) - 1)]
            seen = verdicts.drawn(claim, Seen(None, "", ""), Tables({DRAWS: table}))
            found[claim.id] = (world.true[claim.id] - claim.share, seen)
        elif claim.file == "replay/contrasts.csv":
            *numbers, true = world.contrasts["penalty_in_pruning"]
            row = dict(zip(("value", "error", "dof"), numbers, strict=True))
            row |= {"id": "penalty_in_pruning", "measure": "regret"}
            found[claim.id] = (
                true,
                verdicts.look(claim, Tables({claim.file: pd.DataFrame([row])})),
            )
    # What is compared cannot be sent to another process.
    return {name: (gap, seen._replace(effect=None)) for name, (gap, seen) in found.items()}


def searched(
    pool: list[dict[str, tuple[float, Seen]]], rng: np.random.Generator, scenario: str
) -> dict[str, tuple[float, Seen]]:
    """Take for each claim about studies a world where it is true, or false, or nearly either."""
    found = {}
    for name in pool[0] if pool else ():
        worlds = [one[name] for one in pool]
        if scenario in (TRUE, FALSE):
            worlds = [one for one in worlds if (one[0] > 0) == (scenario == TRUE)]
        else:
            worlds = sorted(worlds, key=lambda one: abs(one[0]))[: len(pool) // 10]
        if worlds:
            found[name] = worlds[rng.integers(len(worlds))]
    return found


# In a worker: the worlds of replayed studies, as `truths` tells them.
_POOL: list[dict[str, tuple[float, Seen]]] = []


def run(seed: int, replicates: int, scenario: str) -> list[dict[str, Any]]:
    """Judge all claims once: a row per claim, with its p-value before, and whether it is right."""
    rng = np.random.default_rng((seed, replicates))
    studies = searched(_POOL, rng, scenario)
    seen, true = {}, {}
    for claim in CLAIMS:
        if claim.id in MAKE:
            seen[claim.id] = verdicts.look(claim, Tables(MAKE[claim.id](rng, replicates, scenario)))
            true[claim.id] = {TRUE: True, FALSE: False}.get(scenario)
        elif claim.id in studies:
            gap, seen[claim.id] = studies[claim.id]
            true[claim.id] = gap > 0
        else:
            seen[claim.id] = Seen(None, verdicts.NOT_MADE, "")
            true[claim.id] = None
    together = verdicts.in_families(CLAIMS, seen)
    return [
        {
            "seed": seed,
            "claim": name,
            "true": true[name],
            "raw": seen[name].agrees,
            "agrees": together[name].agrees,
        }
        for name in seen
    ]


def counted(rows: pd.DataFrame, verdict: str) -> Iterator[tuple[str, float]]:
    """Count runs with a wrong verdict: exactly at the border, both answers count on their own."""
    given = rows[rows[verdict].notna()]
    runs = rows["seed"].nunique()
    for side in (True, False):
        wrong = given[(given[verdict] == side) & (given["true"].isna() | (given["true"] != side))]
        yield ("holds" if side else "does not hold"), wrong["seed"].nunique() / runs


def measure(runs: int) -> None:
    """Run everything, and write wrong verdicts, power, and what replayed studies are worth."""
    found: list[dict[str, Any]] = []
    replays: list[dict[str, Any]] = []
    for replicates in REPLICATES:
        # Power at more replicates needs fewer worlds and runs than rare mistakes.
        first = replicates == REPLICATES[0]
        number, scenarios = (runs, SCENARIOS) if first else (runs // 8, SCENARIOS[:2])
        seeds = range(WORLDS if first else WORLDS // 2)
        with Pool() as workers:
            worlds = workers.starmap(replayed, [(seed, replicates) for seed in seeds], 1)
        pool = [truths(one) for one in worlds]
        replays += list(worth(replicates, worlds, pool))
        write_csv(REPLAYS, pd.DataFrame(replays).round(6))
        print(pd.DataFrame(replays).to_string(), flush=True)
        with Pool(initializer=_POOL.extend, initargs=(pool,)) as workers:
            for scenario in scenarios:
                asked = [(seed, replicates, scenario) for seed in range(number)]
                parts = workers.starmap(run, asked, chunksize=20)
                rows = pd.DataFrame([row for part in parts for row in part])
                found += list(summed(rows, replicates, scenario))
                write_csv(FOUND, pd.DataFrame(found).round(6))
                print(scenario, pd.DataFrame(found)["share"].round(4).tolist(), flush=True)
                print(rows.groupby(["claim", "agrees"]).size().to_dict(), flush=True)


def summed(rows: pd.DataFrame, replicates: int, scenario: str) -> Iterator[dict[str, Any]]:
    """Summarise the runs of a scenario."""
    runs = rows["seed"].nunique()
    about = {"replicates": replicates, "world": scenario, "runs": runs}
    for (side, wrong), (_, alone) in zip(
        counted(rows, "agrees"), counted(rows, "raw"), strict=True
    ):
        known = {TRUE: "holds", FALSE: "does not hold"}.get(scenario)
        # Where all claims are true, only one answer can be wrong.
        if side != known:
            error = sqrt(max(wrong * (1 - wrong), 1 / runs) / runs)
            yield {**about, "wrong": side, "share": wrong, "error": error, "alone": alone}
    if scenario in (TRUE, FALSE):
        for name, part in rows[rows["true"].notna()].groupby("claim", sort=False):
            right = part["agrees"] == part["true"]
            alone = (part["raw"] == part["true"]).mean()
            yield {**about, "claim": name, "share": right.mean(), "alone": alone}


def worth(
    replicates: int, worlds: list[Replayed], pool: list[dict[str, tuple[float, Seen]]]
) -> Iterator[dict[str, Any]]:
    """Count verdicts about studies, and how often intervals of differences are right."""
    for name in pool[0]:
        given = [(gap > 0, seen.agrees) for gap, seen in (one[name] for one in pool)]
        yield {
            "what": name,
            "replicates": replicates,
            "worlds": len(pool),
            "true": sum(true for true, _ in given),
            "decided": sum(agrees is not None for _, agrees in given),
            "wrong": sum(agrees is not None and agrees != true for true, agrees in given),
        }
    for name in contrasts.CONTRASTS:
        value, error, dof, true = np.transpose([one.contrasts[name] for one in worlds])
        half = intervals.t_half_width(error, dof)
        covers = np.abs(value - true) <= half
        yield {
            "what": f"difference: {name}",
            "replicates": replicates,
            "worlds": len(worlds),
            "coverage": covers.mean(),
            "width": (2 * half).mean(),
        }


def rendered() -> str:
    """Return the document with the current tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return with_parts(text, document(pd.read_csv(FOUND), pd.read_csv(REPLAYS)))


def document(found: pd.DataFrame, replays: pd.DataFrame) -> dict[str, str]:
    """Format the tables of the document, by mark."""
    wrong = found[found["claim"].isna()]
    mistakes = pd.DataFrame(
        {
            "replicates": wrong["replicates"],
            "claims": wrong["world"],
            "wrongly": wrong["wrong"],
            "runs with a wrong verdict": [
                f"{one.share:.1%} ± {one.error:.1%}" for one in wrong.itertuples()
            ],
            "each claim by itself": [f"{one:.1%}" for one in wrong["alone"]],
        }
    )
    power = found[found["claim"].notna()].assign(
        shown=lambda one: one["share"].map("{:.0%}".format)
    )
    power = power.pivot_table("shown", "claim", ["world", "replicates"], "first", sort=False)
    power.columns = [f"{world}, {replicates}" for world, replicates in power.columns]
    studies = replays.dropna(axis=0, subset=["true"])
    columns = ["what", "replicates", "true", "decided", "wrong"]
    judged = studies[columns].astype(dict.fromkeys(columns[1:], int))
    differences = replays[replays["coverage"].notna()]
    covered = pd.DataFrame(
        {
            "difference": differences["what"].str.removeprefix("difference: "),
            "replicates": differences["replicates"],
            "coverage": differences["coverage"].map("{:.0%}".format),
            "mean width": differences["width"].map("{:.3g}".format),
        }
    )
    return {
        "verdicts": markdown(mistakes),
        "power": markdown(power.fillna("").reset_index()),
        "studies": markdown(judged),
        "differences": markdown(covered),
    }


def main() -> None:
    """Count, and write tables and document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=RUNS)
    measure(parser.parse_args().runs)
    write_text(DOCUMENT, rendered())


if __name__ == "__main__":
    main()
