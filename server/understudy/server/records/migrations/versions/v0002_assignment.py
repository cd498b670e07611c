"""Adds to records how their call was assigned to its variant."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; of earlier calls nothing is known but that no experiment assigned them."""
    op.add_column("records", Column("assignment", Text, nullable=False, server_default=""))
    op.add_column("records", Column("epoch", Integer, nullable=False, server_default="0"))
    op.add_column("records", Column("key_hash", Text, nullable=False, server_default=""))
