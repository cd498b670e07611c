"""Tellings for the tests of metrics, and a look at what an exposition says."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_open,  # pyright: ignore[reportUnknownVariableType]
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from understudy.server.domain.completion import PromptTokensDetails, Usage
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.domain.tellings import Answered, Asked, Generation
from understudy.server.sinks.metrics import Reading, expose

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

_RECORD = Record(
    id="r",
    pair_id="p",
    role=Role.PRIMARY,
    request_id="",
    caller="",
    metadata={},
    experiment="",
    variant="",
    group="g",
    deployment="d",
    provider="openai",
    model="m",
    served_model="m",
    attempt=1,
    reason="",
    upstream_status=200,
    started=0,
    latency=150_000,
    first_token=None,
    usage=Usage(10, 5, 15, PromptTokensDetails(cached_tokens=4)),
    cost=1_500,
    finish_reason="stop",
    request_bytes=1,
    response_bytes=1,
    streamed=False,
    effective_fraction=None,
    revision=1,
    text_state=TextState.NOT_CAPTURED,
    overridden=False,
)


def call(**fields: Any) -> Generation:
    """An upstream call: 150 ms, 15 tokens, 1.5 µUSD, unless `fields` of its record say else."""
    values = {name: getattr(_RECORD, name) for name in Record.__struct_fields__}
    caller = fields.pop("asked", Asked(pair_id="p"))
    return Generation(record=Record(**(values | fields)), asked=caller)


def answered(seconds: float = 0.2, **fields: Any) -> Answered:
    """A request to group `g`."""
    values: dict[str, Any] = {
        "asked": Asked(pair_id="p"),
        "group": "g",
        "started": 0,
        "ended": round(seconds * 1e6),
    }
    return Answered(**(values | fields))


def series(text: str, *, is_open: bool = False) -> Series:
    """Return what a text says, by name and labels without the empty ones."""
    return dict(_read(text, is_open=is_open))


def exposed(reading: Reading) -> Series:
    """Return what a reading says once exposed."""
    return series(expose(reading)[1].decode())


def total(found: Series, name: str, **labels: str) -> float:
    """Return the sum over all series of that name with these labels."""
    return sum(
        value
        for (one, of), value in found.items()
        if one == name and labels.items() <= dict(of).items()
    )


def _read(
    text: str, *, is_open: bool
) -> Iterator[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
    for family in (read_open if is_open else read_text)(text):
        for one in family.samples:
            labels = frozenset((name, value) for name, value in one.labels.items() if value)
            yield (one.name, labels), one.value
