"""Figures as people read them. Pure; the same words on every page. `-` is unknown, never zero."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from understudy.server.readout.visible import visible

UNKNOWN: Final = "\u2013"


def percent(points: float | None) -> str:
    """Return basis points as per cent: 8000 is `80 %`."""
    return UNKNOWN if points is None else f"{points / 100:.10g} %"


def share(fraction: float | None) -> str:
    """Return a fraction as per cent, to a tenth: 0.1234 is `12.3 %`."""
    if fraction is None:
        return UNKNOWN
    shown = f"{fraction * 100:.1f}".removesuffix(".0")
    return f"{shown} %"


def duration(microseconds: float | None) -> str:
    """Return a duration in the unit that leaves two or three digits."""
    if microseconds is None:
        return UNKNOWN
    ms = microseconds / 1000
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:.1f} s"


def count(number: float | None) -> str:
    """Return a number with thin spaces between thousands."""
    return UNKNOWN if number is None else f"{number:,.0f}".replace(",", "\u202f")


def money(nano_usd: float | None) -> str:
    """Return 10^-9 US dollars in dollars."""
    if nano_usd is None:
        return UNKNOWN
    usd = nano_usd / 1e9
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.9f}".rstrip("0")


def moment(microseconds: int | None) -> str:
    """Return an instant in UTC, to the second."""
    if not microseconds:
        return UNKNOWN
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def machine_moment(microseconds: int) -> str:
    """Return an instant as the `datetime` of HTML's `time` wants it."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "percent": percent,
    "share": share,
    "duration": duration,
    "count": count,
    "money": money,
    "moment": moment,
    "machine_moment": machine_moment,
    "visible": visible,
}
"""What templates may call."""
