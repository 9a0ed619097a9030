"""How good the search is: studies replayed on the table of modules."""

from convstudy.analyses.replay import contrasts, draws, studies
from convstudy.results.run import REPLAYED


rule replay_design:
    """Replay all studies of one design."""
    input:
        curves=rules.tabulate_modules.output.curves,
    output:
        "results/replay/trials/{design}.csv",
    log:
        "results/logs/replay_design/{design}.log",
    benchmark:
        "results/benchmarks/replay_design/{design}.tsv"
    wildcard_constraints:
        design="|".join(studies.designs()),
    resources:
        mem_mb=1000,
        runtime=scale_with_attempt(60),
    params:
        store="results/.state/replays",
        penalty=settings.penalty(config),
        settings={name: config["replay"][name] for name in ("studies", "trials", "seed")},
        code=code_of("replay_design"),
    message:
        "Replaying studies: {wildcards.design}"
    script:
        "../scripts/replay_design.py"


use rule replay_design as replay_left_out with:
    output:
        "results/replay/left_out/{replicate}/{design}.csv",
    log:
        "results/logs/replay_left_out/{design}_{replicate}.log",
    benchmark:
        "results/benchmarks/replay_left_out/{design}_{replicate}.tsv"
    wildcard_constraints:
        design="|".join(draws.DESIGNS.values()),
        replicate=r"\d+",
    message:
        "Replaying studies without replicate {wildcards.replicate}: {wildcards.design}"


use rule replay_design as replay_resampled with:
    output:
        "results/replay/resampled/{design}.csv",
    log:
        "results/logs/replay_resampled/{design}.log",
    benchmark:
        "results/benchmarks/replay_resampled/{design}.tsv"
    wildcard_constraints:
        design="|".join(contrasts.designs()),
    params:
        store="results/.state/replays",
        penalty=settings.penalty(config),
        settings=config["replay"],
        code=code_of("replay_design"),
    message:
        "Replaying studies with resampled replicates: {wildcards.design}"


OF_ARTICLE = REPLAYED if NETWORKS.is_article else ()


rule replay_searches:
    """Score the replayed studies: regret, epochs, and how often they find the best module."""
    input:
        table=rules.tabulate_modules.output.table,
        curves=rules.tabulate_modules.output.curves,
        trials=expand(rules.replay_design.output, design=studies.designs()),
        resampled=expand(rules.replay_resampled.output, design=contrasts.designs()),
        # With one replicate, leaving it out leaves no table.
        left_out=expand(
            rules.replay_left_out.output,
            design=draws.DESIGNS.values() if NETWORKS.is_article else [],
            replicate=(
                range(config["module_table"]["replicates"])
                if config["module_table"]["replicates"] > 1
                else []
            ),
        ),
    output:
        **{name: f"results/replay/{name}.csv" for name in OF_ARTICLE},
        summary="results/replay/summary.csv",
        history="results/replay/history.csv",
        contrasts="results/replay/contrasts.csv",
    log:
        "results/logs/replay_searches.log",
    benchmark:
        "results/benchmarks/replay_searches.tsv"
    params:
        penalty=settings.penalty(config),
        code=code_of("replay_searches"),
    message:
        "Scoring the replayed studies"
    script:
        "../scripts/replay_searches.py"


ANALYSES["replay"] = rules.replay_searches.output
