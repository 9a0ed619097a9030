"""Two runs side by side: what differs in their settings, verdicts, accuracies and times.

Uses the report's style and parts; no other room uses this one. `recorded` compares recorded runs
with the article.
"""
