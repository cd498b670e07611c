"""SQLite or PostgreSQL, for whoever keeps something: `engine` opens, `migrating` brings up to date.

Which tables there are is each keeper's own: `records` and `store`.
"""
