"""From CIFAR-10 to a report: every number of an article on convolution layers, re-run.

`snakemake --cores all` makes everything; config/README.md explains the settings.
"""


include: "workflow/Snakefile"


# An included file cannot set it.
workflow.default_target = "all"
