"""The article's own study, which is always included: tables, figures, worked examples."""
