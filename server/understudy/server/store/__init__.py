"""Keeps experiments and who changed them: SQLite or PostgreSQL, in a database of their own.

    keeping     experiments, changed one at a time under a lock, each change with its audit entry
    snapshots   the last that was seen, in a file, for a start while the database is away
    schema      the tables; how they came to be is `migrations`

What may change is decided in `experiments`; when it takes effect, by whoever asked for it.
"""

from understudy.server.store.keeping import ExperimentStore, open_store

__all__ = ["ExperimentStore", "open_store"]
