"""Creates the table of opinions on answers."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, Text, text

revision = "0006"
down_revision = "0005"

Whole = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "feedback",
        Column("id", Text, primary_key=True),
        Column("pair_id", Text, nullable=False),
        Column("silent_model", Text, nullable=False),
        Column("metric", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("number", Double),
        Column("text", Text),
        Column("actor", Text, nullable=False),
        Column("create_time", Whole, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("experiment", Text),
        Column("variant", Text),
        Column("epoch", Integer),
        Column("key_hash", Text),
    )
    op.create_index("feedback_pair", "feedback", ["pair_id"])
    op.create_index("feedback_start", "feedback", ["start_time"])
    op.create_index("feedback_experiment", "feedback", ["experiment", "start_time"])
    op.create_index(
        "feedback_waiting",
        "feedback",
        ["create_time"],
        sqlite_where=text("experiment IS NULL"),
        postgresql_where=text("experiment IS NULL"),
    )
