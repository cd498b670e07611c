"""Creates the table of what processes may spend on silent models, and have spent."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0005"
down_revision = "0004"

Whole = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create it. The caps begin here: what was spent in this window until now is not known."""
    op.create_table(
        "spend_leases",
        Column("id", Text, primary_key=True),
        Column("silent_model", Text, nullable=False),
        Column("window_start", Whole, nullable=False),
        Column("window_end", Whole, nullable=False),
        Column("instance_id", Text, nullable=False),
        Column("granted", Whole, nullable=False),
        Column("spent", Whole, nullable=False),
        Column("overshoot", Whole, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("end_time", Whole),
    )
    op.create_index("spend_leases_window", "spend_leases", ["window_start", "silent_model"])
    op.create_index("spend_leases_end", "spend_leases", ["window_end"])
