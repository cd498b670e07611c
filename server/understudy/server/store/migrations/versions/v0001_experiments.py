"""Creates the tables of experiments, their revision and their audit trail."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0001"
down_revision = None

Whole = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create them, and the one row that holds the revision."""
    revisions = op.create_table(
        "experiment_revisions",
        Column("id", Whole, primary_key=True, autoincrement=False),
        Column("revision", Whole, nullable=False),
    )
    op.create_table(
        "experiments",
        Column("id", Text, primary_key=True),
        Column("revision", Whole, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "audit_entries",
        Column("seq", Whole, primary_key=True, autoincrement=True),
        Column("experiment", Text, nullable=False),
        Column("create_time", Whole, nullable=False),
        Column("actor", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("revision", Whole, nullable=False),
        Column("before", Text, nullable=False),
        Column("after", Text, nullable=False),
        Column("cause", Text, nullable=False),
        Column("digest", Text, nullable=False),
    )
    op.create_index("audit_entries_by_revision", "audit_entries", ["revision"])
    op.create_index("audit_entries_by_experiment", "audit_entries", ["experiment", "create_time"])
    # The first revision that a configuration without experiments has is 1.
    op.bulk_insert(revisions, [{"id": 1, "revision": 1}])
