"""Instants as people read them. Pure."""

from datetime import UTC, datetime


def tell_instant(microseconds: int) -> str:
    """Return an instant, in microseconds since 1970, to the minute and in UTC."""
    if microseconds <= 0:
        return "the beginning"
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
