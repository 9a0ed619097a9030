"""The article's own study, which is always made: tables, figures, worked examples."""
