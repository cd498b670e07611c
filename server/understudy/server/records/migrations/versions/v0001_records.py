"""Creates the tables of records, pairs, instances and pauses."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

Whole = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "records",
        Column("id", Text, primary_key=True),
        Column("pair_id", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("caller", Text, nullable=False),
        Column("metadata", Json, nullable=False),
        Column("experiment", Text, nullable=False),
        Column("variant", Text, nullable=False),
        Column("model_group", Text, nullable=False),
        Column("deployment", Text, nullable=False),
        Column("provider", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("served_model", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("reason", Text, nullable=False),
        Column("upstream_status", Integer, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("latency", Whole, nullable=False),
        Column("first_token_latency", Whole),
        Column("prompt_tokens", Whole),
        Column("completion_tokens", Whole),
        Column("total_tokens", Whole),
        Column("token_details", Json),
        Column("cost_nano_usd", Whole),
        Column("finish_reason", Text, nullable=False),
        Column("request_bytes", Whole, nullable=False),
        Column("response_bytes", Whole, nullable=False),
        Column("streamed", Boolean, nullable=False),
        Column("effective_fraction", Double),
        Column("config_revision", Whole, nullable=False),
        Column("text_state", Text, nullable=False),
        Column("overridden", Boolean, nullable=False),
        Column("warnings", Json, nullable=False),
    )
    op.create_index("records_pair", "records", ["pair_id"])
    op.create_index("records_start", "records", ["start_time", "id"])
    op.create_index("records_latency", "records", ["latency", "id"])
    op.create_index("records_cost", "records", ["cost_nano_usd", "id"])
    op.create_table(
        "texts",
        Column("pair_id", Text, primary_key=True),
        Column("part", Text, primary_key=True),
        Column("body", Text, nullable=False),
        Column("size", Whole, nullable=False),
        Column("create_time", Whole, nullable=False),
        Column("is_blank", Boolean, nullable=False),
    )
    op.create_index(
        "texts_create",
        "texts",
        ["create_time"],
        sqlite_where=text("is_blank = 0"),
        postgresql_where=text("NOT is_blank"),
    )
    op.create_table(
        "offers",
        Column("pair_id", Text, primary_key=True),
        Column("silent_model", Text, primary_key=True),
        Column("instance_id", Text, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("end_time", Whole),
        Column("outcome", Text),
        Column("reason", Text, nullable=False),
        Column("fraction", Double),
        Column("record_id", Text),
        Column("caller", Text, nullable=False),
        Column("experiment", Text, nullable=False),
        Column("variant", Text, nullable=False),
        Column("model_group", Text, nullable=False),
        Column("equal", Boolean),
        Column("normalized_equal", Boolean),
        Column("both_json", Boolean),
        Column("primary_schema_valid", Boolean),
        Column("silent_schema_valid", Boolean),
        Column("same_tool_calls", Boolean),
        Column("primary_length", Whole),
        Column("silent_length", Whole),
        Column("similarity", Double),
        Column("latency_difference", Whole),
        Column("cost_difference", Whole),
        Column("length_difference", Whole),
    )
    op.create_index("offers_start", "offers", ["start_time", "pair_id", "silent_model"])
    op.create_index("offers_latency", "offers", ["latency_difference", "pair_id", "silent_model"])
    op.create_index("offers_cost", "offers", ["cost_difference", "pair_id", "silent_model"])
    op.create_index("offers_length", "offers", ["length_difference", "pair_id", "silent_model"])
    op.create_index(
        "offers_open",
        "offers",
        ["instance_id"],
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    )
    op.create_table(
        "not_mirrored",
        Column("pair_id", Text, primary_key=True),
        Column("silent_model", Text, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("start_time", Whole, nullable=False),
    )
    op.create_index("not_mirrored_start", "not_mirrored", ["start_time"])
    op.create_table(
        "instances",
        Column("id", Text, primary_key=True),
        Column("host", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("process_start", Text, nullable=False),
        Column("start_time", Whole, nullable=False),
        Column("heartbeat_time", Whole, nullable=False),
        Column("end_time", Whole),
    )
    op.create_table(
        "mirror_pauses",
        Column("silent_model", Text, primary_key=True),
        Column("pause_time", Whole, nullable=False),
        Column("actor", Text, nullable=False),
        Column("cause", Text, nullable=False),
    )
