"""What made which file: the wrapper of each job, its record, code digests, the archive.

Imports `core` alone. As it wraps every job, no result may depend on it.
"""
