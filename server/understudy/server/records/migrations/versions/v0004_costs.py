"""Adds to records how their cost came to be."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; what earlier calls cost is unknown."""
    op.add_column("records", Column("cost_status", Text, nullable=False, server_default="UNKNOWN"))
    op.add_column("records", Column("cost_reason", Text, nullable=False, server_default=""))
    op.add_column("records", Column("price_version", Text, nullable=False, server_default=""))
