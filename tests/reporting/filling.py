"""Fills a store with calls and pairs that never were, and asks what a report says of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Table, insert

from understudy.server.database.engine import writing
from understudy.server.domain.estimates import Estimate, Insufficient, Interval
from understudy.server.domain.reports import Facts, Progress, Question, Report, Section
from understudy.server.records.schema import feedback, not_mirrored, offers, ratings, records
from understudy.server.reporting.computing import compute

START = 1_700_000_000_000_000
HOUR = 3_600_000_000
NOW = START + HOUR
PRIMARY, SILENT = "paid", "silent"
_AT_ONCE = 1_000

Row = dict[str, Any]


@dataclass(slots=True)
class Filling:
    """Rows that wait to be written."""

    rows: dict[Table, list[Row]] = field(default_factory=dict[Table, list[Row]])

    def add(self, table: Table, row: Row) -> None:
        """Add a row."""
        self.rows.setdefault(table, []).append(row)

    def record(self, pair_id: str, start: int = START, **changes: Any) -> None:
        """Add an upstream call, by default the first attempt to answer a caller."""
        attempt = changes.get("attempt", 1)
        row: Row = {
            "id": f"{pair_id}-{attempt}",
            "pair_id": pair_id,
            "role": "PRIMARY" if attempt == 1 else "RETRY",
            "request_id": "",
            "caller": "",
            "metadata": {},
            "experiment": "",
            "variant": "",
            "model_group": PRIMARY,
            "deployment": PRIMARY,
            "provider": "openai",
            "model": "m",
            "served_model": "m",
            "attempt": attempt,
            "reason": "",
            "upstream_status": 200,
            "start_time": start,
            "latency": 1_000_000,
            "first_token_latency": None,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "token_details": None,
            "cost_nano_usd": 1_000,
            "finish_reason": "stop",
            "request_bytes": 1,
            "response_bytes": 1,
            "streamed": False,
            "effective_fraction": None,
            "config_revision": 1,
            "text_state": "NOT_CAPTURED",
            "overridden": False,
            "warnings": [],
            "assignment": "",
            "epoch": 0,
            "key_hash": "",
            "cost_status": "EXACT",
            "cost_reason": "",
            "price_version": "",
        }
        assert changes.keys() <= row.keys()
        self.add(records, row | changes)

    def offer(
        self, pair_id: str, start: int = START, outcome: str | None = "PAIRED", **changes: Any
    ) -> None:
        """Add what became of an offer."""
        is_pair = outcome == "PAIRED"
        row: Row = {
            "pair_id": pair_id,
            "silent_model": SILENT,
            "instance_id": "i",
            "start_time": start,
            "end_time": start,
            "outcome": outcome,
            "reason": "",
            "fraction": 1.0,
            "record_id": f"{pair_id}-s",
            "caller": "",
            "experiment": "",
            "variant": "",
            "model_group": PRIMARY,
            "equal": False if is_pair else None,
            "normalized_equal": False if is_pair else None,
            "both_json": None,
            "primary_schema_valid": None,
            "silent_schema_valid": None,
            "same_tool_calls": None,
            "primary_length": 100 if is_pair else None,
            "silent_length": 80 if is_pair else None,
            "similarity": 0.5 if is_pair else None,
            "latency_difference": None,
            "cost_difference": None,
            "length_difference": None,
        }
        assert changes.keys() <= row.keys()
        self.add(offers, row | changes)

    def pair(
        self,
        pair_id: str,
        start: int = START,
        *,
        primary: Mapping[str, Any] | None = None,
        silent: Mapping[str, Any] | None = None,
        **offer: Any,
    ) -> None:
        """Add a call that a silent model was played, with both records."""
        self.record(pair_id, start, **(primary or {}))
        own: Row = {
            "id": f"{pair_id}-s",
            "role": "SILENT",
            "model_group": SILENT,
            "deployment": SILENT,
        }
        self.record(pair_id, start, **{**own, **(silent or {})})
        self.offer(pair_id, start, **offer)

    def call(self, pair_id: str, variant: str, start: int = START, **changes: Any) -> None:
        """Add a call of the experiment `ab`."""
        own: Row = {"experiment": "ab", "variant": variant, "epoch": 1, "assignment": "RANDOM"}
        self.record(pair_id, start, **{**own, **changes})

    def refuse(self, pair_id: str, reason: str, start: int = START) -> None:
        """Add a request that was not offered, and its call."""
        self.record(pair_id, start)
        row = {"pair_id": pair_id, "silent_model": SILENT, "reason": reason, "start_time": start}
        self.add(not_mirrored, row)

    def rate(
        self, pair_id: str, verdict: str, first: str = "PRIMARY", reviewer: str = "ann"
    ) -> None:
        """Add what a reviewer said."""
        row: Row = {
            "pair_id": pair_id,
            "silent_model": SILENT,
            "reviewer": reviewer,
            "verdict": verdict,
            "first_side": first,
            "create_time": START,
            "start_time": START,
            "experiment": "",
            "variant": "",
        }
        self.add(ratings, row)

    def say(
        self, pair_id: str, metric: str, value: float | bool, variant: str, key: str = ""
    ) -> None:
        """Add what a caller said of an answer of the experiment `ab`."""
        row: Row = {
            "id": f"{pair_id}-{metric}",
            "pair_id": pair_id,
            "silent_model": "",
            "metric": metric,
            "kind": "BOOLEAN" if isinstance(value, bool) else "NUMBER",
            "number": float(value),
            "text": None,
            "actor": "",
            "create_time": START,
            "start_time": START,
            "experiment": "ab",
            "variant": variant,
            "epoch": 1,
            "key_hash": key,
        }
        self.add(feedback, row)

    def write(self, engine: Engine) -> None:
        """Write all rows."""
        with writing(engine) as connection:
            for table, rows in self.rows.items():
                for place in range(0, len(rows), _AT_ONCE):
                    connection.execute(insert(table), rows[place : place + _AT_ONCE])
        self.rows = {}


def report(
    engine: Engine, parent: str, facts: Facts | None = None, *, now: int = NOW, **question: Any
) -> Report:
    """Compute a report; all that is said on the way is as it should be."""
    *before, last = compute(engine, Question(parent=parent, **question), facts or Facts(), now)
    shares = [one.share for one in before if isinstance(one, Progress)]
    assert shares == sorted(shares)
    assert len(shares) == len(before)
    assert all(0 <= one <= 1 for one in shares)
    assert isinstance(last, Report)
    return last


def of_silent(engine: Engine, facts: Facts | None = None, **question: Any) -> Section:
    """Return the first section of the report on the silent model."""
    return report(engine, f"silentModels/{SILENT}", facts, **question).sections[0]


def find(section: Section, metric: str) -> Estimate:
    """Return a figure."""
    (found,) = (one.found for one in section.figures if one.metric == metric)
    return found


def value(section: Section, metric: str) -> Interval:
    """Return a figure that there is."""
    found = find(section, metric)
    assert isinstance(found, Interval), (metric, found)
    return found


def lacking(sections: Iterable[Section]) -> set[str]:
    """Return the figures that there is too little for."""
    return {
        one.metric
        for section in sections
        for one in section.figures
        if isinstance(one.found, Insufficient)
    }
