"""Measure the coverage of all intervals in simulated worlds, for docs/statistics.md.

python benchmarks/intervals.py [NAME ...]

Writes docs/performance/coverage.csv and the table in docs/statistics.md. Everything takes about
half an hour on two cores; with names, only their rows are replaced.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, product
from math import exp, sqrt
from typing import Any

import numpy as np
import pandas as pd
from convstudy.analyses.depth import numbers as depth
from convstudy.analyses.epoch_selection import numbers as epoch_selection
from convstudy.analyses.penalties import numbers as penalties
from convstudy.analyses.timing import numbers as timing
from convstudy.comparison import numbers as comparison
from convstudy.comparison.runs import MODULES as MODULE_PART
from convstudy.comparison.runs import SINGLE
from convstudy.core.files import write_csv, write_text
from convstudy.layers.networks import ARTICLE
from convstudy.results.accuracies import draw_means, rank_sets
from convstudy.results.scale import LEAST_REPLICATES
from convstudy.stats import intervals
from convstudy.training.record import pack
from document import ROOT, markdown, with_parts
from scipy.stats import norm

TABLE = ROOT / "docs/performance/coverage.csv"
DOCUMENT = ROOT / "docs/statistics.md"
RUNS = 4000
IMAGES = 10_000
REPLICATES = (3, 5, 10)
World = Mapping[str, Any]
Rows = Iterator[dict[str, Any]]


def row(interval: str, world: str, replicates: Any, covers: Any, width: Any) -> dict[str, Any]:
    """Summarise coverage and width of the intervals in the runs of a world."""
    found = {"interval": interval, "world": world, "replicates": replicates}
    return found | {
        "coverage": float(np.mean(covers)),
        "width": float(np.mean(width)),
        "runs": np.shape(covers)[0],
    }


def least(number: int) -> float:
    """Return the least acceptable coverage in these runs: 93 % minus two standard errors."""
    return 0.93 - 2 * sqrt(0.93 * 0.07 / number)


# One more training

# Accuracies of three models: as in the article, close together, or equal.
ACCURACIES = {
    "as in the article": (0.877, 0.774, 0.843),
    "close": (0.845, 0.84, 0.835),
    "equal": (0.84, 0.84, 0.84),
}
# The variance between runs, relative to that from independent errors in the images: the same, half
# of it, as recorded at the article's scale on a GPU (1.4 on average), or different for each model.
SPREADS = {
    "independent": (1.0, 1.0, 1.0),
    "half": (0.5, 0.5, 0.5),
    "as recorded": (1.4, 1.4, 1.4),
    "apart": (1.7, 1.4, 1.1),
}


# Trainings of each model in a record that is not finished; the first has no interval.
UNEQUAL = (1, 5, 5)


def prediction(runs: int) -> Rows:
    """Check whether one more training lies within `intervals.prediction_half_width`."""
    alike = product(ACCURACIES, SPREADS, [(number,) * 3 for number in REPLICATES])
    for seed, (accuracies, spreads, replicates) in enumerate(
        chain(alike, product(ACCURACIES, SPREADS, [UNEQUAL]))
    ):
        rng = np.random.default_rng(seed)
        means, ratios = np.array(ACCURACIES[accuracies]), np.array(SPREADS[spreads])
        deviations = np.sqrt(ratios * means * (1 - means) / IMAGES)
        noise = rng.normal(size=(runs, len(means), max(replicates) + 1))
        drawn = means[:, None] + deviations[:, None] * noise
        parts = [drawn[:, model, :number] for model, number in enumerate(replicates)]
        found = np.stack([part.mean(axis=-1) for part in parts], axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            variances = np.stack(
                [
                    part.var(axis=-1) * number / (number - 1)
                    for part, number in zip(parts, replicates, strict=True)
                ],
                axis=-1,
            )
        halves = intervals.prediction_half_width(found, variances, replicates)
        name = "one more training"
        if replicates == UNEQUAL:
            name += ", beside a network trained once"
        for model, number in enumerate(replicates):
            if number < LEAST_REPLICATES:
                continue
            covers = np.abs(found[:, model] - drawn[:, model, -1]) <= halves[:, model]
            world = f"{accuracies}; spread {spreads}; model {model + 1}"
            yield row(name, world, number, covers, 2 * halves[:, model])


# Accuracies and their differences, over trainings and images


def train(
    rng: np.random.Generator,
    accuracies: tuple[float, ...],
    replicates: int,
    spread: float,
    shared: float,
    images: int,
) -> list[np.ndarray]:
    """Draw which images are right, as a bool array (replicates, images) for each model.

    Each image has an ease, part of which is the same for all models; each training adds its own
    skill and independent errors. All are normally distributed.

    Args:
        rng: Source of random numbers.
        accuracies: True accuracy of each model.
        replicates: Trainings of each model.
        spread: Standard deviation of the skill.
        shared: Share of the variance of ease that all models have in common.
        images: Number of test images.
    """
    common = rng.normal(size=images)
    drawn = []
    for accuracy in accuracies:
        ease = sqrt(shared) * common + sqrt(1 - shared) * rng.normal(size=images)
        skill = spread * rng.normal(size=(replicates, 1))
        # With a variance of ease of 3, most images are easy or hard, as for recorded networks.
        shift = norm.ppf(accuracy) * sqrt(1 + 3 + spread**2)
        errors = rng.normal(size=(replicates, images))
        drawn.append(shift + sqrt(3) * ease + skill + errors > 0)
    return drawn


# Two accuracies, the standard deviation of skill, and the share of ease in common.
IMAGE_WORLDS = {
    "tie": ((0.84, 0.84), 0.0, 0.8),
    "tie, runs apart": ((0.84, 0.84), 0.05, 0.8),
    "tie, runs far apart": ((0.84, 0.84), 0.2, 0.8),
    "small difference": ((0.84, 0.83), 0.03, 0.8),
    "large difference": ((0.88, 0.77), 0.03, 0.6),
    "near chance, unlike": ((0.5, 0.45), 0.05, 0.3),
}


def crossed(runs: int, replicates: tuple[int, ...] = REPLICATES, images: int = 1000) -> Rows:
    """Check whether `intervals.crossed` covers an accuracy and a difference."""
    for seed, ((world, (accuracies, spread, shared)), number) in enumerate(
        product(IMAGE_WORLDS.items(), replicates)
    ):
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(runs):
            drawn = train(rng, accuracies, number, spread, shared, images)
            ends = intervals.accuracy_interval(drawn[0]), intervals.crossed(drawn, (1, -1))[1:]
            found.append(ends)
        for index, (interval, true) in enumerate(
            (("accuracy", accuracies[0]), ("difference of accuracies", np.subtract(*accuracies)))
        ):
            low, high = np.array(found)[:, index].T
            yield row(interval, world, number, (low <= true) & (true <= high), high - low)


# Two runs that differ in seeds alone

# Networks, replicates, images, and whether both runs have the same test images.
PAIRS = {
    "3 networks": (3, 3, 1000, True),
    "3 networks, two replicates": (3, 2, 1000, True),
    "3 networks, other test images": (3, 3, 1000, False),
    "3 networks, ten replicates": (3, 10, 1000, True),
    "30 networks": (30, 3, 1000, True),
}
# Standard deviations of the logarithm of speed: between runs on one machine, and between processes.
SITTING, PROCESS = 0.12, 0.05


def alarms(runs: int) -> Rows:
    """Check how rarely a page that compares two such runs calls anything clearly different."""
    runs = min(runs, 2000)
    config = {"training": {"precision": "float32", "jit_compile": "auto"}}
    for seed, (world, (networks, replicates, images, paired)) in enumerate(PAIRS.items()):
        rng = np.random.default_rng(seed)
        quiet, widths = [], []
        for _ in range(runs):
            a, b = _pair(rng, networks, replicates, images, paired)
            times = comparison.speeds(a, b, [config, config])
            table = comparison.accuracies(a, b, paired, shares=2)
            quiet.append(not (table["clear"].any() or times["clear"].any()))
            widths.append(table["high"].iloc[0] - table["low"].iloc[0])
        yield row("nothing looks different", world, replicates, quiet, widths)


def _pair(
    rng: np.random.Generator, networks: int, replicates: int, images: int, paired: bool
) -> list[dict[tuple[str, str], list[World]]]:
    """Draw the trainings of two runs in the form in which they are recorded."""
    accuracies = tuple(rng.uniform(0.4, 0.9, networks))
    if paired:
        drawn = train(rng, accuracies, 2 * replicates, 0.05, 0.6, images)
        sides = [[one[:replicates] for one in drawn], [one[replicates:] for one in drawn]]
    else:
        sides = [train(rng, accuracies, replicates, 0.05, 0.6, images) for _ in "ab"]
    found = []
    for side, models in enumerate(sides):
        sitting = SITTING * rng.normal()
        run = {}
        for network, right in enumerate(models):
            # Three are single kinds, whose speeds are compared; the others are modules.
            part = SINGLE if network < 3 else MODULE_PART
            run[part, str(network)] = [
                _training(rng, f"{side} {network} {place}", one, sitting)
                for place, one in enumerate(right)
            ]
        found.append(run)
    return found


def _training(rng: np.random.Generator, name: str, right: np.ndarray, sitting: float) -> World:
    epoch = {
        "test_accuracy": float(right.mean()),
        "test_right": pack(right),
        "seconds": rng.random(),
        "images_per_second": 500 * exp(sitting + PROCESS * rng.normal()),
        "device": "cpu",
        "processor": "one",
        "backend": "tensorflow 2",
    }
    about = {"threads": 1, "versions": {}}
    known = {"curve": name, "test_images": len(right), "parameters": 1, "environment": about}
    return {**known, "records": [epoch]}


# Independent numbers


def independent(runs: int) -> Rows:
    """Check whether the simple intervals cover, and so do their differences and ratios."""
    rng = np.random.default_rng(0)
    for true, images in product((0.1, 0.5, 0.9, 0.98), (200, 4000)):
        shares = rng.binomial(images, true, runs) / images
        low, high = np.array([intervals.wilson(share, images) for share in shares]).T
        covers = (low <= true) & (true <= high)
        yield row("share", f"{true:.0%} of {images:,}", None, covers, high - low)
    # Normal as for replicates and processes, skewed as for replayed studies.
    for name, number in (("normal", 3), ("normal", 10), ("skewed", 50), ("skewed", 200)):
        draw = rng.normal if name == "normal" else rng.exponential
        true = 0.0 if name == "normal" else 1.0
        ends = np.array([_student(draw(size=number)) for _ in range(runs)])
        covers = (ends[:, 1] <= true) & (true <= ends[:, 2])
        yield row("mean", name, number, covers, ends[:, 2] - ends[:, 1])
    for spreads, number in product(((1, 1), (1, 3)), (3, 10, 200)):
        pairs = [
            [_student(10 + spread * 0.3 * rng.normal(size=number)) for spread in spreads]
            for _ in range(runs)
        ]
        world = "equal spreads" if spreads == (1, 1) else "spreads of one to three"
        low, high = np.array([intervals.difference(*pair) for pair in pairs]).T
        yield row("difference", world, number, (low <= 0) & (high >= 0), high - low)
        ends = np.array([np.concatenate(pair) for pair in pairs]).T
        _, low, high = intervals.ratio(*ends)
        yield row("ratio", world, number, (low <= 1) & (high >= 1), high - low)


def _student(values: np.ndarray) -> tuple[float, float, float]:
    low, high = intervals.mean_interval(pd.Series(values))
    return float(values.mean()), low, high


# The best of many

MODULES = list(ARTICLE.modules())


def _means(name: str, error: float) -> np.ndarray:
    """Return true accuracies of all modules, spaced as named."""
    rng = np.random.default_rng(5)
    number = len(MODULES)
    apart = 0.45 + 6 * error * np.sort(rng.normal(size=number))
    if name == "ties":
        return np.full(number, 0.45)
    if name == "two near the best":
        apart[-3:] = apart[-3:].max() - error * np.array([0.4, 0.2, 0])
    return apart


# Names of true means, and the ratio of the largest to the smallest spread between runs.
MANY = list(product(("ties", "two near the best", "apart"), (1.0, 1.5)))
ERROR = 0.006
COUNTED = {
    "parameters": [ARTICLE.parameters(kinds, 0.25) for kinds in ARTICLE.modules().values()],
    **dict(zip(ARTICLE.positions, zip(*ARTICLE.modules().values(), strict=True), strict=True)),
}


def _tabulated(rng: np.random.Generator, true: np.ndarray, ratio: float, number: int) -> Any:
    """Draw accuracies of trainings, and return what `accuracies.means` makes of them."""
    spreads = ERROR * np.linspace(1, ratio, len(true)) / ((1 + ratio) / 2)
    drawn = true + spreads * rng.normal(size=(number, len(true)))
    pooled = drawn.var(axis=0, ddof=1).mean()
    table = pd.DataFrame(
        {**COUNTED, "mean": drawn.mean(axis=0), "error": sqrt(pooled / number)}, index=MODULES
    )
    return table.assign(replicates=number), (number - 1) * len(true)


def best_of_many(runs: int, worlds: Any = None) -> Rows:
    """Check whether sets of ranks include the true ones, and which modules look worse than best."""
    for seed, ((name, ratio), number) in enumerate(worlds or product(MANY, REPLICATES)):
        rng, true = np.random.default_rng(seed), _means(name, ERROR)
        above = (true[None] > true[:, None]).sum(axis=1)
        beside = (true[None] == true[:, None]).sum(axis=1)
        ranks, widths, kept, alike, first = [], [], [], [], []
        for _ in range(runs):
            found, _ = _tabulated(rng, true, ratio, number)
            low, high = rank_sets(found)
            ranks.append((low <= 1 + above) & (above + beside <= high))
            widths.append(high - low + 1)
            first.append(low[true == true.max()] == 1)
            best = found["mean"].to_numpy().argmax()
            constant = intervals.dunnett_constant(number, (number,) * (len(true) - 1), best=True)
            told = found["mean"].max() - found["mean"] > constant * sqrt(2) * found["error"]
            kept.append(1 - told[true == true.max()].mean())
            alike.append((~told).sum())
            assert not told.iloc[best]
        world = name + ("" if ratio == 1 else f"; spreads of one to {ratio:g}")
        yield row("ranks", world, number, np.mean(ranks, axis=1), widths)
        yield row("ranks, of the best", world, number, np.mean(first, axis=1), widths)
        yield row("not told apart from the best", world, number, kept, alike)


def chances(runs: int, numbers: tuple[int, ...] = REPLICATES, draws: int = 1000) -> Rows:
    """Check whether the module with the highest mean is the best as often as stated.

    Each run draws new true means. Coverage is how often that module is the best, width the stated
    probability.
    """
    for seed, (apart, number) in enumerate(product((0.5, 2.0), numbers)):
        rng = np.random.default_rng(seed)
        right, said = [], []
        for _ in range(runs):
            true = 0.45 + apart * ERROR * rng.normal(size=len(MODULES))
            found, dof = _tabulated(rng, true, 1.0, number)
            best = int(found["mean"].to_numpy().argmax())
            drawn = draw_means(found, dof, draws)
            right.append(true.argmax() == best)
            said.append((drawn.argmax(axis=1) == best).mean())
        world = f"true means {apart:g} spreads apart"
        yield row("chance to be the best: true, and as said", world, number, right, said)


def changes(runs: int, numbers: tuple[int, ...] = REPLICATES, draws: int = 200) -> Rows:
    """Check whether the weights at which the best module changes are covered."""
    unit = 15_625
    for seed, (name, number) in enumerate(product(("two near the best", "apart"), numbers)):
        rng, true = np.random.default_rng(seed), _means(name, ERROR)
        covers, widths = [], []
        for _ in range(runs):
            found, dof = _tabulated(rng, true, 1.0, number)
            size = (found["parameters"] / unit).to_numpy()
            table = penalties.changes_of(found, dof, unit, draws)
            real = penalties.envelope(1 - true, size)
            limits = (table["parameters"] / unit).to_numpy()
            truth = np.array(penalties.weights_from(real, size, limits))
            inside = (table["from_low"] <= truth) & (truth <= table["from_high"])
            # The first module certainly wins from weight 0 on.
            if len(table) > 1:
                covers.append(inside[1:].mean())
                widths.append((table["from_high"] - table["from_low"])[1:].mean())
        yield row("weight of a change", name, number, covers, widths)


# Choosing the epoch


def choosing(runs: int, numbers: tuple[int, ...] = (3, 5), splits: int = 40) -> Rows:
    """Check whether the effect of choosing is covered; its true value is the mean of all runs."""
    images, epochs, networks = 1000, 8, 4
    for seed, ((world, rise), number) in enumerate(
        product({"level": 0.0, "rising": 0.04}.items(), numbers)
    ):
        rng = np.random.default_rng(seed)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(runs):
            common, own = rng.normal(size=images), rng.normal(size=(networks, 1, 1, images))
            ease = sqrt(0.8) * common + sqrt(0.2) * own
            skill = 0.05 * rng.normal(size=(networks, number, epochs, 1))
            skill += rise * np.arange(epochs)[:, None]
            lasting = rng.normal(size=(networks, number, 1, images))
            errors = rng.normal(size=(networks, number, epochs, images))
            right = 1.0 + 1.5 * ease + 0.7 * lasting + 0.7 * errors + skill > 0
            together = right.transpose(1, 0, 2, 3).reshape(number, networks * epochs, images)
            last = [
                [
                    epoch_selection.judge(one, {epoch_selection.LAST: epochs}, 0)[
                        epoch_selection.LAST
                    ][1]
                    for one in each
                ]
                for each in right
            ]
            flattery = {
                epoch_selection.LAST: np.array(last),
                epoch_selection.ON_HALF: epoch_selection.halves(right, splits)[1],
                epoch_selection.BEST_OF_ALL: epoch_selection.halves(together, splits)[1][None],
            }
            for selection, values in flattery.items():
                found.setdefault(selection, []).append(epoch_selection.error_of(list(values)))
        for selection, ends in found.items():
            mean, error, dof = np.array(ends).T
            half = intervals.t_half_width(error, dof)
            covers = np.abs(mean - mean.mean()) <= half
            yield row(f"what choosing adds: {selection}", world, number, covers, 2 * half)


# Times


def crossovers(runs: int) -> Rows:
    """Check whether the crossover, and ratios of two times, are covered."""
    channels = np.array([4, 8, 16, 32, 64, 128])
    # Logarithm of how many times longer Conv2D takes.
    true = np.array([-0.25, -0.15, -0.02, 0.08, 0.3, 0.6])
    real = timing.crossing(channels, true)
    for seed, (noise, processes) in enumerate(product((0.02, 0.08), (3, 5))):
        rng = np.random.default_rng(seed)
        covers, widths, ratios, spans = [], [], [], []
        for _ in range(runs):
            # Noise between processes, and what the median over repeats leaves of theirs.
            advantage = true + noise * rng.normal(size=(processes, len(channels)))
            _, low, high = timing.over_processes(advantage)
            ends = [timing.crossing(channels, bound) for bound in (high, low)]
            covers.append(ends[0] <= real <= ends[1])
            widths.append(np.log(ends[1] / ends[0]) if np.isfinite(ends).all() else np.nan)
            ratios.append((low[0] <= true[0]) & (true[0] <= high[0]))
            spans.append(high[0] - low[0])
        world = f"noise {noise:.0%}"
        yield row("channels of a crossover", world, processes, covers, np.nanmean(widths))
        yield row("time", world, processes, ratios, spans)
        drawn = noise * rng.normal(size=(runs, processes, 8))
        # Pick the lowest of eight ratios whose true value is 1.
        mean, low, high = timing.over_processes(drawn.transpose(1, 0, 2), 8)
        picked = np.arange(runs), mean.argmin(axis=1)
        covers, spans = (low[picked] <= 0) & (high[picked] >= 0), (high - low)[picked]
        yield row("time, of one picked out of eight", world, processes, covers, spans)


# Layers


def depths(runs: int, replicates: tuple[int, ...] = REPLICATES, images: int = 500) -> Rows:
    """Check whether the number of layers that are as accurate as another network is covered."""
    # Accuracies of one to four layers, the other network's, and the true number.
    worlds = {
        "steep": ((0.50, 0.56, 0.62, 0.68), 0.59, 2.5),
        "flat": ((0.55, 0.57, 0.59, 0.61), 0.58, 2.5),
        "near the end": ((0.50, 0.54, 0.58, 0.60), 0.59, 3.5),
    }
    for seed, ((world, (stacks, alone, true)), number) in enumerate(
        product(worlds.items(), replicates)
    ):
        rng = np.random.default_rng(seed)
        covers, widths = [], []
        for _ in range(runs):
            *drawn, other = train(rng, (*stacks, alone), number, 0.03, 0.8, images)
            found = depth.crossing(dict(enumerate(drawn, start=1)), other, steps=10)
            low, high = (found.get(f"layers_{end}", np.nan) for end in ("low", "high"))
            covers.append(not (low > true or high < true))
            widths.append(high - low)
        yield row("layers of a crossing", world, number, covers, np.nanmean(widths))


MEASURES: dict[str, Callable[[int], Rows]] = {
    "prediction": prediction,
    "crossed": crossed,
    "independent": independent,
    "best_of_many": best_of_many,
    "chances": chances,
    "changes": changes,
    "choosing": choosing,
    "crossovers": crossovers,
    "alarms": alarms,
    "depths": lambda runs: depths(runs // 4),
}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate coverage and width, with a row per interval and number of replicates."""
    rows = []
    for (interval, replicates), part in table.groupby(
        ["interval", "replicates"], sort=False, dropna=False
    ):
        coverage = part["coverage"]
        low, high = coverage.min(), coverage.max()
        rows.append(
            {
                "interval": interval,
                "replicates": "" if pd.isna(replicates) else f"{replicates:g}",
                "worlds": len(part),
                "coverage": f"{coverage.mean():.1%}",
                "least and greatest": f"{low:.1%} to {high:.1%}",
                "mean width": f"{part['width'].mean():.3g}",
            }
        )
    return pd.DataFrame(rows)


def rendered() -> str:
    """Return the document with the current table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return with_parts(text, {"coverage": markdown(summary(pd.read_csv(TABLE)))})


def main() -> None:
    """Measure the named intervals, and write table and document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MEASURES), help=", ".join(MEASURES))
    parts = {}
    if TABLE.is_file():
        parts = {str(name): part for name, part in pd.read_csv(TABLE).groupby("measure")}
    for name in parser.parse_args().names:
        found = pd.DataFrame([{"measure": name, **cells} for cells in MEASURES[name](RUNS)])
        parts[name] = found.round(6)
        print(summary(found).to_string(), flush=True)
        write_csv(TABLE, pd.concat(parts[name] for name in MEASURES if name in parts))
    write_text(DOCUMENT, rendered())


if __name__ == "__main__":
    main()
