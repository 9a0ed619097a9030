"""What made which file: the frame of a job, its record, digests of code, the archive.

Imports `core` alone. It is the frame of every job, and so no result may depend on it.
"""
