"""Reads rows of the store back into domain values."""

import msgspec
from sqlalchemy import RowMapping

from understudy.server.domain.completion import (
    CompletionTokensDetails,
    PromptTokensDetails,
    Usage,
    Warning,
)
from understudy.server.domain.costs import CostStatus
from understudy.server.domain.mirroring import Comparison, Outcome
from understudy.server.domain.records import Kept, Record, Role, SilentSide, TextState

Row = RowMapping


class _Details(msgspec.Struct, frozen=True):
    """Parts of the tokens, as `token_details` holds them."""

    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


def read_record(row: Row) -> Record:
    """Return a record from a row of `records`."""
    return Record(
        id=row["id"],
        pair_id=row["pair_id"],
        role=Role(row["role"]),
        request_id=row["request_id"],
        caller=row["caller"],
        metadata=row["metadata"],
        experiment=row["experiment"],
        variant=row["variant"],
        group=row["model_group"],
        deployment=row["deployment"],
        provider=row["provider"],
        model=row["model"],
        served_model=row["served_model"],
        attempt=row["attempt"],
        reason=row["reason"],
        upstream_status=row["upstream_status"],
        started=row["start_time"],
        latency=row["latency"],
        first_token=row["first_token_latency"],
        usage=_read_usage(row),
        cost=row["cost_nano_usd"],
        finish_reason=row["finish_reason"],
        request_bytes=row["request_bytes"],
        response_bytes=row["response_bytes"],
        streamed=row["streamed"],
        effective_fraction=row["effective_fraction"],
        revision=row["config_revision"],
        text_state=TextState(row["text_state"]),
        overridden=row["overridden"],
        warnings=msgspec.convert(row["warnings"], tuple[Warning, ...]),
        assignment=row["assignment"],
        epoch=row["epoch"],
        key_hash=row["key_hash"],
        cost_status=CostStatus(row["cost_status"]),
        cost_reason=row["cost_reason"],
        price_version=row["price_version"],
    )


def read_silent_side(row: Row, kept: Kept | None) -> SilentSide:
    """Return a silent side from a row of `offers` and the record that belongs to it."""
    comparison = None
    if row["equal"] is not None:
        comparison = Comparison(**{name: row[name] for name in Comparison.__struct_fields__})
    outcome = row["outcome"]
    return SilentSide(
        row["silent_model"],
        None if outcome is None else Outcome(outcome),
        row["reason"],
        row["fraction"],
        kept,
        comparison,
        row["latency_difference"],
        row["cost_difference"],
        row["length_difference"],
    )


def _read_usage(row: Row) -> Usage | None:
    if row["total_tokens"] is None:
        return None
    details = msgspec.convert(row["token_details"] or {}, _Details)
    return Usage(
        row["prompt_tokens"],
        row["completion_tokens"],
        row["total_tokens"],
        details.prompt_tokens_details,
        details.completion_tokens_details,
    )
