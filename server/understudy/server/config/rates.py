"""Reads amounts of dollars, for a token or a second or an hour, into rates. Pure.

Exact: 2.5e-06 is taken for the number that is written, not for the binary one next to it. As in
`units`, a value that is none raises UnreadableError.
"""

from fractions import Fraction
from typing import Final

from understudy.server.config import units
from understudy.server.config.units import UnreadableError
from understudy.server.domain.costs import ATTO, DEAREST

_MILLION: Final = 1_000_000
_DEAREST_HOUR: Final = 1_000_000  # dollars


def per_token(value: object) -> int:
    """Return the rate of dollars for one token, as LiteLLM has it."""
    rate = _rate(value)
    if rate > DEAREST:
        raise UnreadableError(
            "is in dollars for a single token; 2.5 for a million of them is 0.0000025"
        )
    return rate


def per_million(value: object) -> int:
    """Return the rate of dollars for a million tokens."""
    return per_token(_dollars(value) / _MILLION)


def per_call(value: object) -> int:
    """Return the rate of dollars for a call."""
    return _up_to(value, _MILLION)


def per_second(value: object) -> int:
    """Return the rate of dollars for a second."""
    return _up_to(value, _MILLION)


def per_hour(value: object) -> int:
    """Return the rate of dollars for an hour."""
    return _up_to(value, _DEAREST_HOUR)


def _up_to(value: object, most: int) -> int:
    rate = _rate(value)
    if rate > most * ATTO:
        raise UnreadableError(f"must be at most {most} dollars")
    return rate


def _rate(value: object) -> int:
    return round(_dollars(value) * ATTO)


def _dollars(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    units.weight(value)  # a finite number that is not negative, or a fault
    return Fraction(value.strip() if isinstance(value, str) else repr(value))
