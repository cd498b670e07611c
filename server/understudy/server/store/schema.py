"""The tables, as the newest migration leaves them. Instants are microseconds since 1970 UTC.

An experiment is one text, because its caller's JSON must keep every byte, and because nothing
ever asks for a part of it.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

from understudy.server.database.migrating import Chain

Whole = BigInteger().with_variant(Integer(), "sqlite")

VERSION_TABLE = "experiments_version"  # records may live in the same database
NEWEST = "0001"
MIGRATIONS = Chain(
    "understudy.server.store:migrations", VERSION_TABLE, NEWEST, lock=0x756E6472_65787072
)

metadata = MetaData()

# One row: the revision of the last change.
revisions = Table(
    "experiment_revisions",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=False),
    Column("revision", Whole, nullable=False),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("revision", Whole, nullable=False),
    Column("body", Text, nullable=False),
)

# One row for each change, and only ever added to.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", Whole, primary_key=True, autoincrement=True),
    Column("experiment", Text, nullable=False),
    Column("create_time", Whole, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("revision", Whole, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("cause", Text, nullable=False),
    # SHA-256 of the entry and of the one before it: an edit or a gap is seen.
    Column("digest", Text, nullable=False),
    Index("audit_entries_by_revision", "revision"),
    Index("audit_entries_by_experiment", "experiment", "create_time"),
)
