"""The ledger of config/claims.yaml, and the verdicts.

Tables are read by name, so no analysis is imported.
"""
