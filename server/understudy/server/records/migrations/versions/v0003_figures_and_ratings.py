"""Creates the tables of figures and ratings, and indexes for what pages ask."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text, text

revision = "0003"
down_revision = "0002"

Whole = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create them. Figures begin here: earlier records stay as they are and are not counted."""
    op.create_table(
        "rollups",
        Column("span", Whole, primary_key=True, autoincrement=False),
        Column("start_time", Whole, primary_key=True, autoincrement=False),
        Column("experiment", Text, primary_key=True),
        Column("variant", Text, primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("model_group", Text, primary_key=True),
        Column("deployment", Text, primary_key=True),
        Column("role", Text, primary_key=True),
        Column("calls", Whole, nullable=False),
        Column("prompt_tokens", Whole, nullable=False),
        Column("completion_tokens", Whole, nullable=False),
        Column("cached_tokens", Whole, nullable=False),
        Column("unmetered", Whole, nullable=False),
        Column("cost_nano_usd", Whole, nullable=False),
        Column("priced", Whole, nullable=False),
        Column("unpriced", Whole, nullable=False),
        Column("reasons", Text, nullable=False),
        Column("latencies", Text, nullable=False),
        Column("first_tokens", Text, nullable=False),
    )
    op.create_table(
        "ratings",
        Column("pair_id", Text, primary_key=True),
        Column("silent_model", Text, primary_key=True),
        Column("reviewer", Text, primary_key=True),
        Column("verdict", Text, nullable=False),
        Column("first_side", Text, nullable=False),
        Column("create_time", Whole, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("experiment", Text, nullable=False),
        Column("variant", Text, nullable=False),
    )
    op.create_index("ratings_start", "ratings", ["start_time"])
    op.create_index("records_experiment", "records", ["experiment", "start_time", "id"])
    op.create_index("records_request", "records", ["request_id", "start_time", "id"])
    op.create_index(
        "records_failed",
        "records",
        ["start_time", "id"],
        sqlite_where=text("reason <> ''"),
        postgresql_where=text("reason <> ''"),
    )
    op.create_index("offers_similarity", "offers", ["similarity", "pair_id", "silent_model"])
    op.create_index("offers_model", "offers", ["silent_model", "start_time", "pair_id"])
    op.create_index(
        "offers_experiment", "offers", ["experiment", "start_time", "pair_id", "silent_model"]
    )
