"""The tables, as the newest migration leaves them.

Instants are microseconds since 1970 UTC: SQLite would hand back datetimes without a zone. How
the tables came to be is `migrations`; a test holds the two equal.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from understudy.server.database.migrating import Chain

Whole = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")

VERSION_TABLE = "records_version"  # the experiments' tables may live in the same database
NEWEST = "0006"
MIGRATIONS = Chain(
    "understudy.server.records:migrations", VERSION_TABLE, NEWEST, lock=0x756E6472_72656373
)

metadata = MetaData()

# One row for each upstream call.
records = Table(
    "records",
    metadata,
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
    # How its call was assigned: why it got its variant, in which epoch, and by which key.
    Column("assignment", Text, nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("key_hash", Text, nullable=False, server_default=""),
    # How far its cost can be relied on, why no further, and by which price list it is.
    Column("cost_status", Text, nullable=False, server_default="UNKNOWN"),
    Column("cost_reason", Text, nullable=False, server_default=""),
    Column("price_version", Text, nullable=False, server_default=""),
    Index("records_pair", "pair_id"),
    Index("records_start", "start_time", "id"),
    Index("records_latency", "latency", "id"),
    Index("records_cost", "cost_nano_usd", "id"),
    Index("records_experiment", "experiment", "start_time", "id"),
    Index("records_request", "request_id", "start_time", "id"),
    Index(
        "records_failed",
        "start_time",
        "id",
        sqlite_where=text("reason <> ''"),
        postgresql_where=text("reason <> ''"),
    ),
)

# What records add up to, by the span that they began in: a minute or an hour, in microseconds.
# Each call is counted once in either, so that both questions of minutes and of months are quick.
# The last three are maps as JSON: reasons, and buckets of durations, to how many calls.
rollups = Table(
    "rollups",
    metadata,
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

# The words, apart from the figures because they are kept for less time. `part` is `prompt`, or
# the id of the record whose answer it is. The body is JSON as text: jsonb has no place for a NUL.
# Blank rows were overwritten where they stand, see `erasing`.
texts = Table(
    "texts",
    metadata,
    Column("pair_id", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("size", Whole, nullable=False),
    Column("create_time", Whole, nullable=False),
    Column("is_blank", Boolean, nullable=False),
    Index(
        "texts_create",
        "create_time",
        sqlite_where=text("is_blank = 0"),
        postgresql_where=text("NOT is_blank"),
    ),
)

# One row for each silent model that was offered a request. Without an outcome it is under way.
offers = Table(
    "offers",
    metadata,
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
    Index("offers_start", "start_time", "pair_id", "silent_model"),
    Index("offers_latency", "latency_difference", "pair_id", "silent_model"),
    Index("offers_cost", "cost_difference", "pair_id", "silent_model"),
    Index("offers_length", "length_difference", "pair_id", "silent_model"),
    Index("offers_similarity", "similarity", "pair_id", "silent_model"),
    Index("offers_model", "silent_model", "start_time", "pair_id"),
    Index("offers_experiment", "experiment", "start_time", "pair_id", "silent_model"),
    Index(
        "offers_open",
        "instance_id",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
)

# One row for each silent model that was not offered a request, and why.
not_mirrored = Table(
    "not_mirrored",
    metadata,
    Column("pair_id", Text, primary_key=True),
    Column("silent_model", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("start_time", Whole, nullable=False),
    Index("not_mirrored_start", "start_time"),
)

# One row for each recorder that ever opened this store. Without an end it is at work, or died.
instances = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", Text, nullable=False),
    Column("start_time", Whole, nullable=False),
    Column("heartbeat_time", Whole, nullable=False),
    Column("end_time", Whole),
)

# One row for each sum of money that a process took to spend on a silent model in one window of the
# cap, in 10^-9 dollars. While it is open all that was granted counts as spent, also after its
# process has died; once it has ended, what was spent. `overshoot` is what calls cost beyond what
# had been reserved for them.
spend_leases = Table(
    "spend_leases",
    metadata,
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
    Index("spend_leases_window", "window_start", "silent_model"),
    Index("spend_leases_end", "window_end"),
)

# One row for each silent model whose mirroring is paused; the empty name is all of them.
mirror_pauses = Table(
    "mirror_pauses",
    metadata,
    Column("silent_model", Text, primary_key=True),
    Column("pause_time", Whole, nullable=False),
    Column("actor", Text, nullable=False),
    Column("cause", Text, nullable=False),
)

# One row for each verdict of a reviewer on a silent model's answer. What it was compared with is
# its offer's, and so is its `start_time`: a rating lives as long as its pair.
ratings = Table(
    "ratings",
    metadata,
    Column("pair_id", Text, primary_key=True),
    Column("silent_model", Text, primary_key=True),
    Column("reviewer", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("first_side", Text, nullable=False),
    Column("create_time", Whole, nullable=False),
    Column("start_time", Whole, nullable=False),
    Column("experiment", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Index("ratings_start", "start_time"),
)

# One row for each opinion on an answer, the served one where `silent_model` is empty; a boolean is
# 1 or 0. What is known of its call comes from there, `experiment` to `key_hash`. These are null
# until the call is in the store too, which may be after the opinion on it; what is said of an
# answer that there never was stays so. `start_time` is its call's: it lives as long as its pair.
feedback = Table(
    "feedback",
    metadata,
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
    Index("feedback_pair", "pair_id"),
    Index("feedback_start", "start_time"),
    Index("feedback_experiment", "experiment", "start_time"),
    Index(
        "feedback_waiting",
        "create_time",
        sqlite_where=text("experiment IS NULL"),
        postgresql_where=text("experiment IS NULL"),
    ),
)
