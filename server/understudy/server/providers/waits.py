"""How long a provider asks us to wait, from its headers. Pure.

Whether to wait at all is `routing`'s to decide.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0  # seconds; who says more than a day says nothing

_DECIMAL = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_SPAN = re.compile(
    r"(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?"
    r"(?:(\d{1,9}(?:\.\d{1,9})?)ms)?",
    re.ASCII,
)
_SPAN_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_LIMITS = ("requests", "tokens")


def read_wait(
    headers: Mapping[str, str], *, limited: bool = True, now: float | None = None
) -> float | None:
    """Return the seconds that the headers ask for, None if they do not, or ask for nonsense.

    A date is measured from `now`, in seconds since 1970, or else from the reply's own date: the
    provider's clock need not agree with ours. The headers about limits are on every reply, and
    mean a wait only if it was `limited`.
    """
    candidates = (
        _scaled(headers.get("retry-after-ms", ""), 0.001),
        _scaled(headers.get("retry-after", ""), 1.0),
        _until(headers.get("retry-after", ""), now, headers.get("date", "")),
        _until_reset(headers) if limited else None,
    )
    return next((one for one in candidates if one is not None), None)


def _scaled(text: str, unit: float) -> float | None:
    text = text.strip()
    return _sensible(float(text) * unit) if _DECIMAL.fullmatch(text) else None


def _until(text: str, now: float | None, date: str) -> float | None:
    instant = _read_date(text)
    start = _read_date(date) if now is None else now
    return None if instant is None or start is None else _sensible(instant - start)


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Return when the limit that is used up is full again, or else the first that will be."""
    spent: list[float] = []
    others: list[float] = []
    for limit in _LIMITS:
        wait = _read_span(headers.get(f"x-ratelimit-reset-{limit}", ""))
        if wait is not None:
            remaining = headers.get(f"x-ratelimit-remaining-{limit}", "").strip()
            (spent if remaining == "0" else others).append(wait)
    return max(spent, default=None) if spent else min(others, default=None)


def _read_span(text: str) -> float | None:
    """Return the seconds in `1s`, `6m0s`, `12ms`, `1h2m3.5s` or plain `20`."""
    text = text.strip()
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        return _scaled(text, 1.0)
    return _sensible(
        sum(float(part or 0) * unit for part, unit in zip(match.groups(), _SPAN_UNITS, strict=True))
    )


def _read_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text.strip()).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _sensible(seconds: float) -> float | None:
    return seconds if 0 <= seconds <= LONGEST_WAIT else None
