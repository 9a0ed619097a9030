"""From CIFAR-10 to a report: recompute every number of an article on convolution layers.

`snakemake --cores all` makes everything; config/README.md explains the settings.
"""


include: "workflow/Snakefile"


# An included file cannot set the default target.
workflow.default_target = "all"
