"""Reads how far back, or when, such as people type it: 30m, 7d, 2026-09-01, 2026-09-01T12:00Z."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]+)?)(s|m|h|d)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)


def read_back(text: str, option: str, now: datetime) -> datetime:
    """Return the instant that is a span before `now`. Raises UsageError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise click.UsageError(f"{option}: {text!r} is not a span such as 30m, 1h or 7d")
    try:
        return now - timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        return _FIRST


def read_instant(text: str, option: str, now: datetime) -> datetime:
    """Return an instant, or what is a span before `now`; UTC unless it says else.

    Raises UsageError.
    """
    if _SPAN.fullmatch(text.strip()) is not None:
        return read_back(text, option, now)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.UsageError(
            f"{option}: {text!r} is neither a span such as 30m or 7d, nor an instant such as "
            "2026-09-01 or 2026-09-01T12:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
