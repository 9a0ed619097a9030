"""What several rules ask of the config."""

STUDIES = list(config["search"]["studies"])


def study_settings(wildcards):
    """Give one study's part of the config."""
    return config["search"]["studies"][wildcards.study]


def study_workers(wildcards):
    """Name the files of a study's workers, as many as its config asks for."""
    return expand(
        rules.search_modules.output,
        worker=range(study_settings(wildcards)["workers"]),
        allow_missing=True,
    )


def caption(figure):
    """Name the caption's file of a figure: its own, or one for all studies."""
    return f"../report/{'trials' if figure.startswith('trials_') else figure}.rst"
