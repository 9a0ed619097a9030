"""The ledger of config/claims.yaml, and the verdicts.

Reads tables by their names, and so imports no analysis.
"""
